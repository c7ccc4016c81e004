"""The pipeline: everything that happens between a job's question and a model's answer, in order.

To add a step, write a file beside this one and put it into the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uuid_utils.compat import uuid7

from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports.ai.credentials import DEPLOYMENT
from infrastructure.ports.ai.model import ModelProvider
from workers.ai.pipeline.call import Attempt, Middleware, ModelCall, ModelReply, Next
from workers.ai.pipeline.composition import composed
from workers.ai.pipeline.provider import provider


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
    return (_first_model(parts), provider(parts.providers))


def _first_model(parts: Parts) -> Middleware:
    # Until routing, limits, budget, cache and ledger stand before it.
    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        model = (call.models or parts.default_models)[0]
        attempt = Attempt(uuid7(), parts.registry.model(model).provider, model, DEPLOYMENT)
        return await call_next(replace(call, request=replace(call.request, model=model), attempt=attempt))

    return ask
