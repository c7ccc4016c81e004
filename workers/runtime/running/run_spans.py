"""The span of a run: of the trace of the request that its job came with, one for each attempt."""

from monitoring.tracing import spans
from monitoring.tracing.context import parse_traceparent
from monitoring.tracing.span import Span, SpanKind
from workers.runtime.running.attempt import Attempt
from workers.runtime.settling.outcomes import AwaitingChildren, Done, Failed, Outcome, Stopped


def begin(attempt: Attempt) -> Span | None:
    """None where no spans are exported. The run's log lines, and what it calls, are of its span."""
    claimed = attempt.claimed
    span = spans.begin(f"process {claimed.kind}", SpanKind.CONSUMER, parse_traceparent(claimed.traceparent))
    if span is not None:
        attempt.trace = span.context
    return span


def end(span: Span, attempt: Attempt, outcome: Outcome) -> None:
    """By the names of OpenTelemetry's conventions for messaging, where they have one."""
    claimed = attempt.claimed
    ending, error = _described(outcome)
    span.end(
        {
            "messaging.system": "bucatini",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.message.id": str(claimed.id),
            "messaging.message.conversation_id": str(claimed.correlation_id),
            "bucatini.job.kind": claimed.kind,
            "bucatini.job.attempt": claimed.attempt,
            "bucatini.job.outcome": ending,
            "bucatini.tenant.id": str(claimed.tenant_id),
        },
        error=error,
    )


def _described(outcome: Outcome) -> tuple[str, str | None]:
    """How it ended, and the error's class. A run that was handed back is no error."""
    match outcome:
        case Done():
            return "done", None
        case AwaitingChildren():
            return "awaiting_children", None
        case Failed(failure):
            return "failed", failure.problem.type.rpartition("/")[2]
        case Stopped(reason):
            return reason.value, None
