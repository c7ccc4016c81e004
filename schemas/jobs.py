"""Jobs as clients see them, and the one table of the states they may pass through."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from schemas.model import Model
from schemas.problems import Problem


class JobState(StrEnum):
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """For its children."""
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Its problem is one that no retry mends."""
    DEAD = "dead"
    """Its attempts are spent, or it kills the processes that run it."""
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    """What moves a job from one state to the next."""

    COME_DUE = "come_due"
    CLAIM = "claim"
    SUCCEED = "succeed"
    RETRY = "retry"
    FAIL = "fail"
    BURY = "bury"
    CANCEL = "cancel"
    RELEASE = "release"
    """The worker hands the job back unharmed, as it does when it drains."""
    LOSE = "lose"
    """The worker died or went silent."""
    AWAIT = "await"
    RESUME = "resume"
    REPLAY = "replay"


TRANSITIONS: dict[tuple[JobState, Trigger], JobState] = {
    (JobState.SCHEDULED, Trigger.COME_DUE): JobState.QUEUED,
    (JobState.SCHEDULED, Trigger.CANCEL): JobState.CANCELLED,
    (JobState.QUEUED, Trigger.CLAIM): JobState.RUNNING,
    (JobState.QUEUED, Trigger.CANCEL): JobState.CANCELLED,
    (JobState.QUEUED, Trigger.BURY): JobState.DEAD,
    (JobState.RETRYING, Trigger.COME_DUE): JobState.QUEUED,
    (JobState.RETRYING, Trigger.CLAIM): JobState.RUNNING,
    (JobState.RETRYING, Trigger.CANCEL): JobState.CANCELLED,
    (JobState.RETRYING, Trigger.BURY): JobState.DEAD,
    (JobState.RUNNING, Trigger.SUCCEED): JobState.SUCCEEDED,
    (JobState.RUNNING, Trigger.RETRY): JobState.RETRYING,
    (JobState.RUNNING, Trigger.FAIL): JobState.FAILED,
    (JobState.RUNNING, Trigger.BURY): JobState.DEAD,
    (JobState.RUNNING, Trigger.CANCEL): JobState.CANCELLED,
    (JobState.RUNNING, Trigger.RELEASE): JobState.QUEUED,
    (JobState.RUNNING, Trigger.LOSE): JobState.QUEUED,
    (JobState.RUNNING, Trigger.AWAIT): JobState.WAITING,
    (JobState.WAITING, Trigger.RESUME): JobState.QUEUED,
    (JobState.WAITING, Trigger.SUCCEED): JobState.SUCCEEDED,
    (JobState.WAITING, Trigger.CANCEL): JobState.CANCELLED,
    (JobState.FAILED, Trigger.REPLAY): JobState.QUEUED,
    (JobState.DEAD, Trigger.REPLAY): JobState.QUEUED,
    (JobState.CANCELLED, Trigger.REPLAY): JobState.QUEUED,
}

LIMIT = "limit"
"""Why a job is parked when it waits for others under the same cap to end."""
HOLD = "hold:"
"""Followed by the hold's id: why a job is parked when somebody paused its like."""

TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.DEAD, JobState.CANCELLED})


class IllegalTransition(Exception):
    """The job's state doesn't allow this. Read the job again: somebody else moved it first."""


def transition(state: JobState, trigger: Trigger) -> JobState:
    """The state that follows, or IllegalTransition."""
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise IllegalTransition(f"a {state} job can't {trigger}") from None


IN_FLIGHT = tuple(state for state in JobState if state not in TERMINAL and state is not JobState.SCHEDULED)
"""A capped job counts against its cap in these, from when it was let in to its end; the migration's index says the same."""


def states_that_allow(trigger: Trigger) -> tuple[JobState, ...]:
    """Every state this trigger may start from: the statements' predicates are made of it."""
    return tuple(state for state, allowed in TRANSITIONS if allowed is trigger)


Priority = Annotated[int, Field(ge=0, le=9)]
"""9 goes first. Most work should leave it at 5."""
ConcurrencyKey = Annotated[str, Field(min_length=1, max_length=200)]
"""Names jobs that are limited together, such as those of one customer. It wants a limit with it."""
ConcurrencyLimit = Annotated[int, Field(ge=1, le=10_000)]
"""Of the tenant's jobs with that key, at most so many are under way at a time; the others wait."""


class Progress(Model):
    fraction: Annotated[float, Field(ge=0.0, le=1.0)]
    message: Annotated[str, Field(max_length=500)] = ""


class Job(Model):
    """A job as it stands now."""

    id: UUID
    kind: str
    queue: str
    state: JobState
    priority: Priority
    attempt: int
    """How many times a worker has started it."""
    max_attempts: int
    created_at: datetime
    run_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline: datetime | None = None
    progress: Progress | None = None
    result: dict[str, Any] | None = None
    result_url: str | None = None
    """Where a result is that is too large to be shown here: beyond 256 KB, in a list beyond 4 KB."""
    result_bytes: int | None = None
    """How large that is."""
    problem: Problem | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    parent_id: UUID | None = None

    @property
    def finished(self) -> bool:
        return self.state in TERMINAL


class JobPage(Model):
    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class TimelineEntry(Model):
    """One thing that happened to a job, in the order it happened."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any] | None = None


class Timeline(Model):
    job_id: UUID
    entries: tuple[TimelineEntry, ...]


class ReadTokenRequest(Model):
    """How long a read token is to last."""

    ttl_seconds: Annotated[int, Field(ge=10, le=3_600)] = 600


class JobToken(Model):
    """Opens one job for reading and following. Whoever has it may do so: hand it to nobody but the one who watches."""

    token: str
    expires_at: datetime
