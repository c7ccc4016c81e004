"""The job model and its state machine."""

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
    """Waits for its child jobs."""
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Failed with a problem that a retry can't fix."""
    DEAD = "dead"
    """Its attempts or its deadline are used up, or it crashes its worker."""
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    """An input of the state machine."""

    COME_DUE = "come_due"
    CLAIM = "claim"
    SUCCEED = "succeed"
    RETRY = "retry"
    FAIL = "fail"
    BURY = "bury"
    CANCEL = "cancel"
    RELEASE = "release"
    """The worker returns the job without counting the attempt, for example when it drains."""
    LOSE = "lose"
    """The lease expired: the worker died or lost its connection."""
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
"""The stored reason of a job that is capped: it waits for its concurrency limit."""
HOLD = "hold:"
"""The stored reason of a job that is held, followed by the hold's id."""

TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.DEAD, JobState.CANCELLED})


class IllegalTransition(Exception):
    """The job's state doesn't allow this trigger. Read the job again: its state was changed concurrently."""


def transition(state: JobState, trigger: Trigger) -> JobState:
    """The next state. Raises IllegalTransition if the trigger isn't allowed in this state."""
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise IllegalTransition(f"a {state} job can't {trigger}") from None


IN_FLIGHT = tuple(state for state in JobState if state not in TERMINAL and state is not JobState.SCHEDULED)
"""States in which an admitted job counts against its concurrency limit. The index in the migration lists the same."""


def states_that_allow(trigger: Trigger) -> tuple[JobState, ...]:
    """Every state in which the trigger is allowed. SQL predicates are built from it."""
    return tuple(state for state, allowed in TRANSITIONS if allowed is trigger)


Priority = Annotated[int, Field(ge=0, le=9)]
"""9 is the highest. Most work should leave it at 5."""
ConcurrencyKey = Annotated[str, Field(min_length=1, max_length=200)]
"""Jobs with the same key share a concurrency limit, such as those of one customer. Needs a limit."""
ConcurrencyLimit = Annotated[int, Field(ge=1, le=10_000)]
"""The most jobs with that key in flight at a time; the others wait."""


class Progress(Model):
    fraction: Annotated[float, Field(ge=0.0, le=1.0)]
    message: Annotated[str, Field(max_length=500)] = ""


class Job(Model):
    """The current state of a job."""

    id: UUID
    kind: str
    queue: str
    state: JobState
    priority: Priority
    attempt: int
    """The number of attempts started."""
    max_attempts: int
    created_at: datetime
    run_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline: datetime | None = None
    progress: Progress | None = None
    result: dict[str, Any] | None = None
    result_url: str | None = None
    """Where to fetch a result that isn't included: above 256 KB, and in lists unless asked for and at most 4 KB."""
    result_bytes: int | None = None
    """The size of a result that is too large to be included."""
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
    """One event of a job."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any] | None = None


class Timeline(Model):
    job_id: UUID
    entries: tuple[TimelineEntry, ...]


class JobCommand(Model):
    """What a job was given to do, as it is stored."""

    job_id: UUID
    kind: str
    version: int
    """The version of the kind that the fields are in; a worker of a newer one converts them."""
    command: dict[str, Any] | None
    """None where it can't be read; `problem` says why."""
    problem: Problem | None = None


class ReadTokenRequest(Model):
    """Options for a read token."""

    ttl_seconds: Annotated[int, Field(ge=10, le=3_600)] = 600


class JobToken(Model):
    """A token that allows reading one job and following its events. Anyone who has it can: share it only with the viewer."""

    token: str
    expires_at: datetime
