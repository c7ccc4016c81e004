"""Many commands in one request, and how far they are."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from schemas.jobs import TERMINAL, ConcurrencyKey, ConcurrencyLimit, JobState, Priority
from schemas.model import Model
from schemas.problems import FieldProblem
from schemas.timestamps import Moment

BATCH_KIND = "jobs.batch"
"""A batch is a job that waits for its children and has no run of its own, so all that jobs have it has as well."""
BATCH_QUEUE = "jobs"
"""No worker pool has it: a batch is never rung."""
MAX_IN_A_BATCH = 1_000

BatchName = Annotated[str, Field(max_length=200)]


class BatchItem(Model):
    """One command and how its job wants to be treated."""

    kind: Annotated[str, Field(max_length=100, examples=["ai.process_document"])]
    command: dict[str, Any]
    """The command's fields, as its own address takes them."""
    priority: Priority = 5
    """9 goes first."""
    run_at: Moment | None = None
    """Not before this time (RFC 3339)."""
    deadline: Moment | None = None
    """No attempt begins after this time (RFC 3339)."""
    concurrency_key: ConcurrencyKey | None = None
    """Jobs that are limited together, such as those of one customer of yours. Needs concurrency_limit."""
    concurrency_limit: ConcurrencyLimit | None = None
    """Of your jobs with that key, at most so many are under way at a time; the others wait."""
    idempotency_key: Annotated[str, Field(pattern=r"^[ -~]{1,200}$")] | None = None
    """Names this job among all of the tenant's, as the header does for a lone one."""


class SubmitBatch(Model):
    jobs: Annotated[tuple[BatchItem, ...], Field(min_length=1, max_length=MAX_IN_A_BATCH)]
    name: BatchName = ""
    """For people."""
    atomic: bool = False
    """Whether one that can't be accepted refuses all. Otherwise the others are accepted."""


class ItemOutcome(StrEnum):
    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """Its idempotency key made a job of the same command before: that job."""
    KEY_REUSED = "key_reused"
    """Its idempotency key made a job of another command before: that job. Nothing was made of this one."""
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    """The key lacks a scope that this kind asks for."""


class ItemAnswer(Model):
    """What became of one command, in the order they were sent."""

    outcome: ItemOutcome
    job_id: UUID | None = None
    errors: tuple[FieldProblem, ...] = ()
    """Why not, by pointers into the request's body."""


class BatchAccepted(Model):
    """The batch is kept, with every job that was accepted."""

    id: UUID
    name: str
    total: int
    """How many jobs are its own: those that were accepted."""
    jobs: tuple[ItemAnswer, ...]


class Batch(Model):
    """A batch as it stands now."""

    id: UUID
    name: str
    state: JobState
    """`waiting` until every job has ended in whatever way, then `succeeded`; `cancelled` when its owner ended it."""
    total: int
    by_state: Mapping[JobState, int]
    fraction: Annotated[float, Field(ge=0.0, le=1.0)]
    """How many of its jobs have ended."""
    created_at: datetime
    finished_at: datetime | None = None
    correlation_id: UUID | None = None

    @property
    def finished(self) -> bool:
        return self.state in TERMINAL
