"""Failed jobs grouped by reason, and replays of one job or many."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.commands import QueueName
from schemas.jobs import Job
from schemas.model import Model

MAX_COUNTED = 10_000
MAX_REPLAYED = 10_000

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class FailureGroup(Model):
    """Jobs whose last attempt failed for the same reason: the same kind, problem and detail, except for numbers, ids and
    quotes. A job that is running again is in no group until that attempt ends."""

    fingerprint: Fingerprint
    kind: str
    problem: str
    """The problem's type."""
    title: str
    detail: str
    """The detail of the newest failure."""
    count: int
    counted_all: bool
    """False when counting stopped at its limit."""
    first_at: datetime
    last_at: datetime
    job_ids: tuple[UUID, ...]
    """The ids of the newest few."""


class FailureGroups(Model):
    """Groups of failures, the most recent first."""

    groups: tuple[FailureGroup, ...]
    complete: bool
    """False when there are more groups than `limit`."""


class FailedJobs(Model):
    """The jobs of one group, the most recent failure first."""

    group: FailureGroup
    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class FailedState(StrEnum):
    FAILED = "failed"
    DEAD = "dead"


class ReplayFilter(Model):
    """Selects failed and dead jobs. A field that isn't given matches everything."""

    state: FailedState | None = None
    kind: Annotated[str, Field(max_length=100)] | None = None
    queue: QueueName | None = None
    problem: Annotated[str, Field(max_length=200)] | None = None
    """A problem's type, or its short name, such as `time-limit`."""
    fingerprint: Fingerprint | None = None
    since: AwareDatetime | None = None
    """Failed at this time or later."""
    until: AwareDatetime | None = None
    """Failed before this time."""


class ReplayJob(Model):
    """Options for replaying one job."""

    command: dict[str, Any] | None = None
    """A complete new command that replaces the old one; the old one is kept if not given."""


class ReplayState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"


class Replay(Model):
    """A bulk replay: queues each matching job that had failed before the request again, at most once."""

    id: UUID
    state: ReplayState
    filter: ReplayFilter
    limit: int
    per_second: float | None = None
    replayed: int
    created_at: datetime
    finished_at: datetime | None = None


class ReplayFailures(ReplayFilter):
    """Replays matching failed and dead jobs in the background, each once."""

    limit: Annotated[int, Field(ge=1, le=MAX_REPLAYED)] = 1_000
    """The maximum number of jobs to replay."""
    per_second: Annotated[float, Field(ge=0.01, le=10_000)] | None = None
    """The maximum rate; unlimited if not given."""
    dry_run: bool = False
    """Only count them."""

    @property
    def filter(self) -> ReplayFilter:
        return ReplayFilter.model_validate(self.model_dump(include=set(ReplayFilter.model_fields)))


class ReplayCount(Model):
    """The number of jobs that a replay would queue."""

    count: int
    counted_all: bool
    """False when counting stopped at its limit."""
