"""The span of each call of a provider, by the names of OpenTelemetry's conventions for generative AI: never a text of it."""

import asyncio
from collections.abc import Mapping

from infrastructure.ports.ai.errors import ModelError
from infrastructure.ports.ai.response import Usage
from monitoring.logs.context import current
from monitoring.metrics.models import CHAT
from monitoring.tracing import spans
from monitoring.tracing.span import Attribute, Span, SpanKind
from workers.ai.pipeline.call import Attempt, ModelCall, ModelReply, Next

CANCELLED = "cancelled"
UNKNOWN = "_OTHER"
"""What the conventions call an error that has no name."""


async def traced(call: ModelCall, call_next: Next) -> ModelReply:
    """The step around the provider's own. Nothing where no spans are exported."""
    span = spans.begin(_name(call), SpanKind.CLIENT, current().trace)
    if span is None:
        return await call_next(call)
    attempt = call.attempt
    assert attempt is not None, "the route makes it"
    try:
        reply = await call_next(call)
    except BaseException as error:
        _end(span, call, attempt, error)
        raise
    _end(span, call, attempt, None)
    return reply


def _name(call: ModelCall) -> str:
    return f"{CHAT} {call.request.model}"


def _end(span: Span, call: ModelCall, attempt: Attempt, error: BaseException | None) -> None:
    span.end({**_asked(call, attempt), **_answered(attempt, error)}, error=_class_of(error))


def _asked(call: ModelCall, attempt: Attempt) -> Mapping[str, Attribute | None]:
    request, prompt = call.request, call.prompt
    return {
        "gen_ai.operation.name": CHAT,
        "gen_ai.provider.name": attempt.provider,
        "gen_ai.request.model": attempt.model,
        "gen_ai.request.max_tokens": request.max_output_tokens,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.output.type": "text" if request.schema is None else "json",
        "gen_ai.prompt.name": None if prompt is None else prompt.name,
        "bucatini.model.attempt_id": str(attempt.id),
        "bucatini.model.purpose": call.purpose.value,
        "bucatini.model.lane": request.lane.value,
    }


def _answered(attempt: Attempt, error: BaseException | None) -> Mapping[str, Attribute | None]:
    response = attempt.response
    first_seconds = None if attempt.first_token_ms is None else attempt.first_token_ms / 1_000
    if response is None:
        failure = error.failure if isinstance(error, ModelError) else None
        return {
            "gen_ai.response.id": None if failure is None else failure.request_id,
            "gen_ai.response.time_to_first_chunk": first_seconds,
            **_used(attempt.usage if failure is None else failure.usage),
        }
    return {
        "gen_ai.response.id": response.request_id,
        "gen_ai.response.model": response.served_model,
        "gen_ai.response.finish_reasons": (response.finish_reason.value,),
        "gen_ai.response.time_to_first_chunk": first_seconds,
        **_used(response.usage),
    }


def _used(usage: Usage) -> Mapping[str, Attribute | None]:
    counts = usage.counts
    if counts is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": counts.input_tokens,
        "gen_ai.usage.output_tokens": counts.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": counts.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": counts.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": counts.reasoning_tokens,
    }


def _class_of(error: BaseException | None) -> str | None:
    match error:
        case None:
            return None
        case ModelError():
            return error.error_class
        case asyncio.CancelledError():
            return CANCELLED
        case _:
            return UNKNOWN
