"""The last step: the provider's call."""

from collections.abc import Mapping
from contextlib import aclosing

from infrastructure.ports.ai.model import ModelProvider
from infrastructure.ports.ai.response import Finished, ModelResponse, TextDelta
from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next


def provider(providers: Mapping[str, ModelProvider]) -> Middleware:
    """Calls the attempt's model, once. Raises ModelError."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        attempt = call.attempt
        assert attempt is not None, "the route makes it"
        called, key = providers[attempt.provider], attempt.credential.key
        if call.listener is None:
            return _reply(await called.complete(call.request, key))
        async with aclosing(called.stream(call.request, key)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    call.listener.write(event.text)
                if isinstance(event, Finished):
                    return _reply(event.response)
        raise AssertionError("a stream without Finished raises")

    return ask


def _reply(response: ModelResponse) -> ModelReply:
    return ModelReply(
        response.text,
        response.finish_reason,
        response.provider,
        response.model,
        response.served_model,
        attempts=(),
        usage=response.usage,
    )
