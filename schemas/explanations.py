"""Explanations of a job's state: why it doesn't run yet, or how it ended."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.holds import Hold
from schemas.jobs import JobState, Progress
from schemas.model import Model
from schemas.problems import Problem

MAX_COUNTED = 1_000


class UnderCap(Model):
    """It waits for its concurrency limit: other jobs of its key or tenant must end first."""

    because: Literal["limit"] = "limit"
    key: str | None = None
    """None when only the tenant's limit applies."""
    limit: int | None = None
    """None when only the tenant's limit applies."""
    in_flight: int
    """Jobs that count against the limit now."""
    position: int
    """Position among the jobs waiting for the limit; 1 is next. Counted up to 1,001, which means more than 1,000."""
    tenant_limit: int | None = None
    tenant_in_flight: int | None = None


class OnHold(Model):
    """A hold pauses it or its whole queue."""

    because: Literal["hold"] = "hold"
    hold: Hold | None = None
    """None when the hold was just removed and the job is about to be queued."""
    whole_queue: bool = False


class NotYet(Model):
    """It is scheduled or retrying, and its `run_at` is in the future."""

    because: Literal["time"] = "time"
    at: datetime
    problem: Problem | None = None
    """Why the last attempt failed, for a retry."""


class ForChildren(Model):
    """It waits for its child jobs."""

    because: Literal["children"] = "children"
    children: int
    ended: int


class InLine(Model):
    """It is queued and runs when a worker is free."""

    because: Literal["turn"] = "turn"
    ahead: int
    """The tenant's own jobs of the same priority before it. Counted up to 1,001."""
    tenants_waiting: int
    """Tenants with queued jobs in this queue, this one included. Counted up to 1,001."""
    weight: int
    """The tenant's weight: a tenant of weight 2 gets twice the share of one of weight 1."""
    running: int
    """Running jobs of the queue, of all tenants. Counted up to 1,001."""
    workers: int
    """Workers alive for this queue."""
    needs_processor: bool = False
    """Whether it also needs a free process in a worker's process pool."""


class AtWork(Model):
    """A worker is running it."""

    because: Literal["running"] = "running"
    worker: UUID
    host: str
    since: datetime
    time_limit_seconds: float | None = None
    """Time limit of its work. Waiting for a free process or another shared slot doesn't count."""
    progress: Progress | None = None


class Ended(Model):
    because: Literal["ended"] = "ended"
    at: datetime | None = None
    problem: Problem | None = None


Reason = Annotated[UnderCap | OnHold | NotYet | ForChildren | InLine | AtWork | Ended, Field(discriminator="because")]


class Explanation(Model):
    """Why the job is in its current state."""

    job_id: UUID
    state: JobState
    summary: str
    """The reason as one sentence."""
    reason: Reason
