"""Counts and logs what calls come to, by the names of OpenTelemetry's conventions for generative AI."""

import structlog

from infrastructure.ports.ai.ledger import SUCCEEDED, AttemptEnd
from monitoring.metrics import models as metrics
from workers.ai.pipeline.call import Attempt, ModelCall, ModelReply, Next

log = structlog.get_logger(__name__)


async def counting(call: ModelCall, call_next: Next) -> ModelReply:
    """The step around all that can answer."""
    reply = await call_next(call)
    metrics.answered(call.purpose.value, reply.cache.value)
    return reply


def count_attempt(attempt: Attempt, end: AttemptEnd) -> None:
    """Of a call of a provider that has ended. The line in the log has the trace of the job's request, as all of them do."""
    error = "" if end.outcome == SUCCEEDED else end.outcome
    counts, seconds = end.usage.counts, (end.total_ms or 0.0) / 1_000
    first_token_seconds = None if end.first_token_ms is None else end.first_token_ms / 1_000
    metrics.call_ended(
        attempt.provider,
        attempt.model,
        error,
        seconds,
        input_tokens=None if counts is None else counts.input_tokens,
        output_tokens=None if counts is None else counts.output_tokens,
        first_token_seconds=first_token_seconds,
        dollars=end.cost_usd,
    )
    fields = {
        "gen_ai.operation.name": metrics.CHAT,
        "gen_ai.provider.name": attempt.provider,
        "gen_ai.request.model": attempt.model,
        "gen_ai.response.model": end.served_model,
        "gen_ai.response.id": end.request_id,
        "gen_ai.usage.input_tokens": None if counts is None else counts.input_tokens,
        "gen_ai.usage.output_tokens": None if counts is None else counts.output_tokens,
        "error.type": error or None,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    log.info("model.called", attempt_id=str(attempt.id), seconds=round(seconds, 3), **known)
