"""Batches: many commands in one request, and their progress."""

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
"""A batch is stored as a job that waits for its children and never runs, so it has everything that jobs have."""
BATCH_QUEUE = "jobs"
"""No worker pool consumes this queue: a batch is never dispatched."""
MAX_IN_A_BATCH = 1_000

BatchName = Annotated[str, Field(max_length=200)]


class BatchItem(Model):
    """One command and the options of its job."""

    kind: Annotated[str, Field(max_length=100, examples=["ai.process_document"])]
    command: dict[str, Any]
    """The command's fields, as its own endpoint takes them."""
    priority: Priority = 5
    """9 goes first."""
    run_at: Moment | None = None
    """Not before this time (RFC 3339)."""
    deadline: Moment | None = None
    """No attempt begins after this time (RFC 3339)."""
    concurrency_key: ConcurrencyKey | None = None
    """Jobs with the same key share a concurrency limit, such as those of one customer. Needs concurrency_limit."""
    concurrency_limit: ConcurrencyLimit | None = None
    """The most jobs with that key in flight at a time; the others wait."""
    idempotency_key: Annotated[str, Field(pattern=r"^[ -~]{1,200}$")] | None = None
    """Makes resubmission safe, as the `Idempotency-Key` header does for a single command."""


class SubmitBatch(Model):
    jobs: Annotated[tuple[BatchItem, ...], Field(min_length=1, max_length=MAX_IN_A_BATCH)]
    name: BatchName = ""
    """For people."""
    atomic: bool = False
    """Whether one invalid command rejects the whole batch. Otherwise the valid ones are accepted."""


class ItemOutcome(StrEnum):
    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """Its idempotency key was used before with the same command; `job_id` is that job."""
    KEY_REUSED = "key_reused"
    """Its idempotency key was used before with another command; `job_id` is that job, and this command was rejected."""
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    """The API key lacks the scope that this kind needs."""


class ItemAnswer(Model):
    """The outcome of one command. Outcomes are in the order the commands were sent."""

    outcome: ItemOutcome
    job_id: UUID | None = None
    errors: tuple[FieldProblem, ...] = ()
    """Why it was rejected, with pointers into the request's body."""


class BatchAccepted(Model):
    """The stored batch and the outcome of each command."""

    id: UUID
    name: str
    total: int
    """The number of accepted jobs."""
    jobs: tuple[ItemAnswer, ...]


class Batch(Model):
    """The current state of a batch."""

    id: UUID
    name: str
    state: JobState
    """`waiting` until every job has ended, however it ended, then `succeeded`; `cancelled` if its owner cancelled it."""
    total: int
    by_state: Mapping[JobState, int]
    fraction: Annotated[float, Field(ge=0.0, le=1.0)]
    """The fraction of its jobs that have ended."""
    created_at: datetime
    finished_at: datetime | None = None
    correlation_id: UUID | None = None

    @property
    def finished(self) -> bool:
        return self.state in TERMINAL
