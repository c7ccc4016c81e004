"""Examples of answers that aren't one model, by their address."""

from typing import Any

from api.documentation.examples.jobs import JOB, JOB_ID, NOON
from api.documentation.examples.models import TABLE
from api.streams.encoding import PREAMBLE, Announced, start_frame
from infrastructure.postgres.events.feed import EventRow, Position

_STARTED = EventRow(JOB.id, JOB_ID, 2, "job.started", NOON, '{"attempt": 1}')
_BEGIN = Position("4711:4711:")


def media_of(path: str) -> Any | None:
    """What this address answers with, as it is sent; None when nobody gave an example."""
    event = Announced.stored(_STARTED, _BEGIN)
    match path:
        case "/api/jobs/{id}/result":
            return JOB.result
        case "/api/jobs/{id}/events" | "/api/batches/{id}/events":
            return (PREAMBLE + event.for_job()).decode()
        case "/api/events":
            return (PREAMBLE + start_frame(_BEGIN) + event.for_tenant()).decode()
        case "/api/documents/{id}/content" | "/api/documents/{id}/text":
            return "The rent is due on the first of each month."
        case "/api/ai/usage" | "/api/ai/usage.csv":
            return TABLE
    return None
