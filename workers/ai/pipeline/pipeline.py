"""The pipeline: everything that happens between a job's question and a model's answer, in order.

To add a step, write a file beside this one and put it into the list.
"""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports.ai.model import ModelProvider
from infrastructure.ports.ai.response import Finished, TextDelta
from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next
from workers.ai.pipeline.composition import composed


@dataclass(frozen=True, slots=True)
class Parts:
    """What the middlewares work with."""

    registry: ModelRegistry
    providers: Mapping[str, ModelProvider]
    default_models: tuple[str, ...]


def pipeline(parts: Parts) -> Next:
    """Asks a model. Raises Refused, Unavailable or TryLater as a job does."""
    return composed(middlewares(parts))


def middlewares(parts: Parts) -> tuple[Middleware, ...]:
    return (_first_model(parts),)


def _first_model(parts: Parts) -> Middleware:
    # Until routing, limits, budget, cache and ledger stand before it.
    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        model = (call.models or parts.default_models)[0]
        provider = parts.providers[parts.registry.model(model).provider]
        request = replace(call.request, model=model)
        async with aclosing(provider.stream(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta) and call.listener is not None:
                    call.listener.write(event.text)
                if isinstance(event, Finished):
                    done = event.response
                    return ModelReply(
                        done.text, done.finish_reason, done.provider, done.model, done.served_model, attempts=()
                    )
        raise AssertionError("a stream without Finished raises")

    return ask
