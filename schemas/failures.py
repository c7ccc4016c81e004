"""What failed and why, grouped by reason; and jobs that are run again, one or many."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.commands import Queue
from schemas.jobs import Job
from schemas.model import Model

MAX_COUNTED = 10_000
MAX_REPLAYED = 10_000

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class FailureGroup(Model):
    """Jobs whose last run failed for one reason: same kind, same problem, same detail but for numbers, ids and quotes. One
    that is running again is in no group until that run has ended."""

    fingerprint: Fingerprint
    kind: str
    problem: str
    """The problem's type."""
    title: str
    detail: str
    """As the newest of them tells it."""
    count: int
    counted_all: bool
    """False when there are more than were counted."""
    first_at: datetime
    last_at: datetime
    job_ids: tuple[UUID, ...]
    """The newest few."""


class FailureGroups(Model):
    """What failed most recently, first."""

    groups: tuple[FailureGroup, ...]
    complete: bool
    """False when there are more groups than are shown."""


class FailedJobs(Model):
    """The jobs of one group, those that failed last first."""

    group: FailureGroup
    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class FailedState(StrEnum):
    FAILED = "failed"
    DEAD = "dead"


class ReplayFilter(Model):
    """Which failed and dead jobs; what isn't given is left open."""

    state: FailedState | None = None
    kind: Annotated[str, Field(max_length=100)] | None = None
    queue: Queue | None = None
    problem: Annotated[str, Field(max_length=200)] | None = None
    """A problem's type, or its short name, such as `time-limit`."""
    fingerprint: Fingerprint | None = None
    since: AwareDatetime | None = None
    """Failed at this time or later."""
    until: AwareDatetime | None = None
    """Failed before this time."""


class ReplayJob(Model):
    """How one job is run again."""

    command: dict[str, Any] | None = None
    """The command's fields, all of them, in place of those it had."""


class ReplayState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"


class Replay(Model):
    """Many jobs being run again: each that had failed before this was asked for, at most once."""

    id: UUID
    state: ReplayState
    filter: ReplayFilter
    limit: int
    per_second: float | None = None
    replayed: int
    created_at: datetime
    finished_at: datetime | None = None


class ReplayFailures(ReplayFilter):
    """Run failed and dead jobs again: those that match, each once, in the background."""

    limit: Annotated[int, Field(ge=1, le=MAX_REPLAYED)] = 1_000
    """How many at the most."""
    per_second: Annotated[float, Field(ge=0.01, le=10_000)] | None = None
    """Replay no faster than this; as fast as it goes if not given."""
    dry_run: bool = False
    """Only count them."""

    @property
    def filter(self) -> ReplayFilter:
        return ReplayFilter.model_validate(self.model_dump(include=set(ReplayFilter.model_fields)))


class ReplayCount(Model):
    """What a replay would take."""

    count: int
    counted_all: bool
    """False when there may be more than were looked at."""
