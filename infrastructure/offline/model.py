"""The `offline` provider where a model is asked: no model and no network. What it writes it took from the prompt, by
rules, and its responses say so."""

import asyncio
from collections.abc import AsyncGenerator

from pydantic import SecretStr

from infrastructure.offline.answering.answer import OfflineAnswer, answer, tokens_in
from infrastructure.offline.answering.asked import Asked, asked_in
from infrastructure.ports import Processors
from infrastructure.ports.ai.errors import BadRequest, Failure, Phase, TimedOut
from infrastructure.ports.ai.request import Lane, ModelRequest, Role
from infrastructure.ports.ai.response import (
    UNKNOWN_LIMITS,
    Finished,
    FinishReason,
    Health,
    ModelEvent,
    ModelResponse,
    Started,
    TextDelta,
    TokenCounts,
    Usage,
    UsageReported,
)

NAME = "offline"
SERVED_MODEL = "offline-extractive"
"""What responses name as their model, so that nobody takes them for one's."""


class OfflineModel:
    """See `ModelProvider`. It reads the last message of the user, and of that only the documents, if there are any; instructions
    elsewhere change nothing."""

    name = NAME
    batches = None

    def __init__(self, processors: Processors) -> None:
        self._processors = processors

    async def complete(self, request: ModelRequest, key: SecretStr | None = None) -> ModelResponse:
        return _response(request, await self._answered(request))

    async def stream(self, request: ModelRequest, key: SecretStr | None = None) -> AsyncGenerator[ModelEvent, None]:
        answered = await self._answered(request)
        yield Started(None, UNKNOWN_LIMITS)
        for piece in answered.pieces:
            yield TextDelta(piece)
        response = _response(request, answered)
        yield UsageReported(response.usage)
        yield Finished(response)

    async def count_tokens(self, request: ModelRequest, key: SecretStr | None = None) -> int:
        _checked(request)
        return _input_tokens(request)

    async def list_models(self, key: SecretStr | None = None) -> tuple[str, ...]:
        return (NAME,)

    async def health(self, key: SecretStr | None = None) -> Health:
        return Health(0.0)

    async def close(self) -> None:
        """Its processes belong to whoever started them."""

    async def _answered(self, request: ModelRequest) -> OfflineAnswer:
        asked = _checked(request)
        total_seconds = request.deadlines.total_seconds
        try:
            async with asyncio.timeout(total_seconds):
                return await self._processors.run(
                    answer, asked, request.schema, request.stop, request.max_output_tokens
                )
        except TimeoutError:
            message = f"{NAME}: no end within {total_seconds:g} s: send less text"
            raise TimedOut(message, Failure(NAME, request.model), Phase.TOTAL) from None


def _checked(request: ModelRequest) -> Asked:
    """What is asked. BadRequest when there is nothing to read."""
    last = next((one for one in reversed(request.messages) if one.role is Role.USER), None)
    asked = asked_in([one.text for one in last.passages] if last else [])
    failure = Failure(NAME, request.model)
    if not asked.read.strip():
        raise BadRequest(f"{NAME}: the last message has no text to read", failure)
    if request.model != NAME or request.lane is not Lane.REALTIME or request.max_output_tokens < 1:
        wanted = f"the model {NAME}, in the lane {Lane.REALTIME}, with max_output_tokens of 1 or more"
        raise BadRequest(f"{NAME}: it has {wanted}", failure)
    return asked


def _response(request: ModelRequest, answered: OfflineAnswer) -> ModelResponse:
    counts = TokenCounts(_input_tokens(request), answered.output_tokens)
    return ModelResponse(
        provider=NAME,
        model=request.model,
        served_model=SERVED_MODEL,
        text="".join(answered.pieces),
        finish_reason=FinishReason.STOP if answered.complete else FinishReason.MAX_TOKENS,
        usage=Usage({"input_tokens": counts.input_tokens, "output_tokens": counts.output_tokens}, counts),
        served_tier=None,
        request_id=None,
    )


def _input_tokens(request: ModelRequest) -> int:
    return sum(tokens_in(one.text) for one in request.passages)
