"""Why a job is where it is: what a person asks when it doesn't run."""

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
    """It waits for others of its key, or of its tenant, to end."""

    because: Literal["limit"] = "limit"
    key: str | None = None
    """None: only the tenant as a whole is capped."""
    limit: int | None = None
    """None: only the tenant as a whole is capped."""
    in_flight: int
    """Jobs that count against it now."""
    position: int
    """1 is let in next. No higher than 1,001, which means: behind more than a thousand."""
    tenant_limit: int | None = None
    tenant_in_flight: int | None = None


class OnHold(Model):
    """Somebody paused it, or its whole queue."""

    because: Literal["hold"] = "hold"
    hold: Hold | None = None
    """None: the hold was just removed, and the job goes on in a moment."""
    whole_queue: bool = False


class NotYet(Model):
    """Its time hasn't come."""

    because: Literal["time"] = "time"
    at: datetime
    problem: Problem | None = None
    """Why the last attempt failed, where this is a retry."""


class ForChildren(Model):
    """It waits for jobs that it made."""

    because: Literal["children"] = "children"
    children: int
    ended: int


class InLine(Model):
    """It may run as soon as a worker is free."""

    because: Literal["turn"] = "turn"
    ahead: int
    """The tenant's own jobs of the same urgency before it. No higher than 1,001."""
    tenants_waiting: int
    """In the queue, this one included. No higher than 1,001."""
    weight: int
    """The tenant's: one of weight 2 gets twice the share of one of weight 1."""
    running: int
    """Jobs of the queue that run now, of all tenants. No higher than 1,001."""
    workers: int
    """Alive for this queue."""
    needs_processor: bool = False
    """Whether it computes: then it waits for a worker with a free processor, of which each has few."""


class AtWork(Model):
    """A worker has it."""

    because: Literal["running"] = "running"
    worker: UUID
    host: str
    since: datetime
    time_limit_seconds: float | None = None
    """For its work: what it waits for a processor, or another place that others hold, doesn't count."""
    progress: Progress | None = None


class Ended(Model):
    because: Literal["ended"] = "ended"
    at: datetime | None = None
    problem: Problem | None = None


Reason = Annotated[UnderCap | OnHold | NotYet | ForChildren | InLine | AtWork | Ended, Field(discriminator="because")]


class Explanation(Model):
    """Why the job is where it is, as of this moment."""

    job_id: UUID
    state: JobState
    summary: str
    """One sentence for people."""
    reason: Reason
