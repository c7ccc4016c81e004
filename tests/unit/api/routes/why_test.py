"""Explanations of a job's state, decided from rows without a server."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from api.routes.why import explain
from infrastructure.postgres.jobs.explanations import Cap, Found, QueueNumbers, Subject
from schemas.holds import Hold, HoldAction
from schemas.jobs import JobState
from schemas.problems import Problem

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
HOLD_ID = UUID(int=9)
BUSY = QueueNumbers(tenants_waiting=3, workers=2, running=40)
PAUSED = Hold(
    id=HOLD_ID, action=HoldAction.PAUSE, queue="ai", reason="the provider is down", created_by="Ada", created_at=NOW
)


def found(**differently: Any) -> Found:
    """A queued job by default. Arguments override fields of the job or of the rows read with it."""
    beside = {name: differently.pop(name) for name in ("holds", "cap", "children", "ahead") if name in differently}
    usual: dict[str, Any] = dict.fromkeys(Subject.__dataclass_fields__) | {
        "id": UUID(int=1),
        "kind": "ai.process_document",
        "queue": "ai",
        "lane": 0,
        "priority": 5,
        "state": JobState.QUEUED,
        "run_at": NOW - timedelta(seconds=1),
        "weight": 1,
    }
    read: dict[str, Any] = {"holds": (), "cap": None, "children": None, "ahead": 0} | beside
    return Found(job=Subject(**(usual | differently)), **read)


@pytest.mark.parametrize(
    ("read", "numbers", "because", "says"),
    [
        (found(kind="search.index_document"), BUSY, "turn", "It waits for a free worker behind 0 jobs"),
        (found(ahead=7), BUSY, "turn", "It waits for a worker with a free processor behind 7 jobs"),
        (found(ahead=7), BUSY, "turn", "behind 7 jobs of its own tenant; 3 tenants wait, 40 jobs run on 2 workers"),
        (found(ahead=1_001), BUSY, "turn", "behind 1000+ jobs"),
        (found(), QueueNumbers(1, 0, 0), "turn", "No worker of pool ai is alive; start one: bucatini worker ai"),
        (found(holds=(PAUSED,)), BUSY, "hold", "The queue ai is paused by Ada: the provider is down"),
        (found(parked=f"hold:{HOLD_ID}", holds=(PAUSED,)), None, "hold", "It is paused by Ada: the provider is down"),
        (found(parked=f"hold:{HOLD_ID}"), None, "hold", "goes on at once"),
        (
            found(parked="limit", concurrency_key="acme", concurrency_limit=2, cap=Cap(2, 2, 4)),
            None,
            "limit",
            "At most 2 jobs of the key 'acme' may be under way, and 2 are. It is number 5 of those waiting.",
        ),
        (
            found(parked="limit", concurrency_key="", tenant_limit=10, cap=Cap(0, 10, 0)),
            None,
            "limit",
            "At most 10 jobs of its tenant may be under way, and 10 are. It is number 1 of those waiting.",
        ),
        (
            found(state=JobState.SCHEDULED, run_at=NOW + timedelta(hours=1)),
            None,
            "time",
            "It is scheduled for 2027-01-31 13:00:00 UTC.",
        ),
        (
            found(
                state=JobState.RETRYING,
                run_at=NOW + timedelta(minutes=1),
                problem=Problem.of("unavailable", "The provider is away", 503).model_dump(mode="json"),
            ),
            BUSY,
            "time",
            "tried again at 2027-01-31 12:01:00 UTC, after: The provider is away.",
        ),
        (
            found(
                state=JobState.RETRYING,
                run_at=NOW + timedelta(minutes=1),
                problem=Problem.of("not-understood", "The worker doesn't know it", 501).model_dump(mode="json"),
            ),
            BUSY,
            "time",
            "that brings it (BUCATINI_JOBS); it is offered again at 12:01:00 UTC.",
        ),
        (
            found(
                ahead=0, problem=Problem.of("not-understood", "The worker doesn't know it", 501).model_dump(mode="json")
            ),
            BUSY,
            "turn",
            "No worker of pool ai that took it knows ai.process_document in its version; it waits for one that does.",
        ),
        (found(state=JobState.WAITING, children=(5, 2)), None, "children", "waits for 5 jobs that it made; 2 of them"),
        (
            found(state=JobState.RUNNING, lease_worker=UUID(int=3), host="node-7", since=NOW),
            None,
            "running",
            "running on node-7 since 2027-01-31 12:00:00 UTC",
        ),
        (found(state=JobState.SUCCEEDED, finished_at=NOW), None, "ended", "It is succeeded."),
    ],
)
def test_the_first_obstacle_is_explained_in_a_sentence(
    read: Found, numbers: QueueNumbers | None, because: str, says: str
) -> None:
    explanation = explain(read, numbers, now=NOW)

    assert explanation.reason.because == because
    assert says in explanation.summary
