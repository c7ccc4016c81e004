"""The last step: the provider's call, made once."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace

from infrastructure.concurrency.work_clock import at_work
from infrastructure.ports.ai.model import ModelProvider
from infrastructure.ports.ai.request import Deadlines
from infrastructure.ports.ai.response import Finished, ModelEvent, ModelResponse, Started, TextDelta, UsageReported
from workers.ai.pipeline.call import Attempt, Listener, Middleware, ModelCall, ModelReply, Next

UNSTREAMED_TOKENS = 4_000
"""A longer answer is streamed though nobody reads along: only then is a model that stalls noticed before its time is up."""
SECONDS_TO_FAIL_IN = 2.0
"""What a call leaves of its job's time, so that one that takes too long can still go to another model or be written down."""


def provider(providers: Mapping[str, ModelProvider]) -> Middleware:
    """Calls the attempt's model with the tenant's key. Raises ModelError."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        attempt = call.attempt
        assert attempt is not None, "the route makes it"
        request = replace(call.request, deadlines=_within_the_run(call.request.deadlines))
        called, key = providers[attempt.provider], attempt.credential.key
        attempt.sent = True
        if call.listener is None and request.max_output_tokens <= UNSTREAMED_TOKENS:
            attempt.response = await called.complete(request, key)
            return reply_of(attempt.response)
        if call.listener is not None and (run := at_work.get()) is not None:
            run.expects_text()
        async with aclosing(called.stream(request, key)) as events:
            return reply_of(await _read(events, attempt, call.listener))

    return ask


async def _read(events: AsyncIterator[ModelEvent], attempt: Attempt, listener: Listener | None) -> ModelResponse:
    started_at = time.perf_counter()
    async for event in events:
        match event:
            case TextDelta(text):
                if attempt.first_token_ms is None:
                    attempt.first_token_ms = (time.perf_counter() - started_at) * 1_000
                if listener is not None:
                    listener.write(text)
            case UsageReported(usage):
                attempt.usage = usage
            case Started():
                attempt.accepted = True
            case Finished(response):
                attempt.response = response
                return response
    raise AssertionError("a stream without Finished raises")


def _within_the_run(deadlines: Deadlines) -> Deadlines:
    run = at_work.get()
    if run is None:
        return deadlines
    seconds = max(run.left_seconds - SECONDS_TO_FAIL_IN, 0.001)
    return deadlines if seconds >= deadlines.total_seconds else replace(deadlines, total_seconds=seconds)


def reply_of(response: ModelResponse) -> ModelReply:
    return ModelReply(
        response.text,
        response.finish_reason,
        response.provider,
        response.model,
        response.served_model,
        attempts=(),
        usage=response.usage,
    )
