"""Examples of failures, replays and holds."""

from uuid import UUID

from api.documentation.examples.jobs import A_SECOND_LATER, CURSOR, JOB, JOB_ID, NOON
from schemas.failures import (
    FailedJobs,
    FailureGroup,
    FailureGroups,
    Replay,
    ReplayCount,
    ReplayFailures,
    ReplayFilter,
    ReplayJob,
    ReplayState,
)
from schemas.holds import Hold, HoldAction, Holds, NewHold
from schemas.jobs import JobState
from schemas.problems import Problem

_PROBLEM = Problem.of("time-limit", "The run took too long", 504, "It was ended after 300 s.")
_FINGERPRINT = "3f9a5c7e1b2d4f60"
_GROUP = FailureGroup(
    fingerprint=_FINGERPRINT,
    kind="ai.process_document",
    problem=_PROBLEM.type,
    title=_PROBLEM.title,
    detail=_PROBLEM.detail,
    count=12,
    counted_all=True,
    first_at=NOON,
    last_at=A_SECOND_LATER,
    job_ids=(JOB_ID,),
)
_DEAD = JOB.model_copy(update={"state": JobState.DEAD, "attempt": 5, "result": None, "problem": _PROBLEM})
_HOLD = Hold(
    id=UUID("0199a1b2-7c42-7f1e-8d2c-3b4a5f6e7d8c"),
    action=HoldAction.PAUSE,
    tenant_id=UUID("0199a1b0-1111-7222-8333-444455556666"),
    kind="ai.process_document",
    reason="the provider is down",
    created_by="k3Yq9ZtR1bXw",
    created_at=NOON,
)

ANSWERS = (
    FailureGroups(groups=(_GROUP,), complete=True),
    FailedJobs(group=_GROUP, jobs=(_DEAD,), next_cursor=CURSOR),
    ReplayCount(count=12, counted_all=True),
    Replay(
        id=UUID("0199a1b2-7c43-7b2a-9e1d-4c5b6a7f8e9d"),
        state=ReplayState.RUNNING,
        filter=ReplayFilter(fingerprint=_FINGERPRINT),
        limit=1_000,
        per_second=20.0,
        replayed=4,
        created_at=NOON,
    ),
    _HOLD,
    Holds(holds=(_HOLD,)),
)
REQUESTS = (
    ReplayJob(command={"title": "Lease", "text": "The text as it should have been."}),
    ReplayFailures(fingerprint=_FINGERPRINT, per_second=20.0),
    NewHold(kind="ai.process_document", reason="the provider is down"),
)
