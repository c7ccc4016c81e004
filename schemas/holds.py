"""What somebody keeps from running, and why; and how much of the workers a tenant may have."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from schemas.commands import Queue
from schemas.model import FreeJson, Model

MAX_ARGUMENT_CHARACTERS = 1_000

Weight = Annotated[int, Field(ge=1, le=100)]
"""A tenant of weight 2 gets twice the share of one of weight 1 while both wait."""


class HoldAction(StrEnum):
    PAUSE = "pause"
    """Jobs that match wait until the hold is removed."""
    KILL = "kill"
    """Jobs that match end as cancelled when a worker would have begun them."""


def _fits(argument: JsonValue) -> JsonValue:
    if not isinstance(argument, dict) or not argument:
        raise ValueError('must be an object with at least one field, such as {"title": "Lease"}')
    if len(str(argument)) > MAX_ARGUMENT_CHARACTERS:
        raise ValueError(f"must not be longer than {MAX_ARGUMENT_CHARACTERS:,} characters")
    return argument


class NewHold(Model):
    """Which jobs to keep from running: those that match all of what is given; the tenant's every job if nothing is."""

    action: HoldAction = HoldAction.PAUSE
    queue: Queue | None = None
    kind: Annotated[str, Field(max_length=100, examples=["ai.process_document"])] | None = None
    argument: Annotated[FreeJson, AfterValidator(_fits)] | None = None
    """A part of the command as JSON, such as `{"title": "Lease"}`: matches where the command has these fields with these
    values."""
    reason: Annotated[str, Field(min_length=1, max_length=500, examples=["the provider is down"])]
    """For people: it is shown to whoever asks why a job waits."""


class Hold(Model):
    """Keeps jobs from running until it is removed."""

    id: UUID
    action: HoldAction
    tenant_id: UUID | None = None
    """None: an operator of the system made it for every tenant."""
    queue: str | None = None
    kind: str | None = None
    argument: dict[str, Any] | None = None
    reason: str
    created_by: str
    created_at: datetime

    @property
    def closes_queue(self) -> bool:
        """Whether nothing of its queue runs: then its workers don't claim at all, rather than set each job aside."""
        only = (self.tenant_id, self.kind, self.argument) == (None, None, None)
        return only and self.action is HoldAction.PAUSE

    def may_concern(self, queue: str, kind: str, tenant_id: UUID) -> bool:
        """Whether such a job could match; its argument is compared where the command is."""
        return self.queue in (None, queue) and self.kind in (None, kind) and self.tenant_id in (None, tenant_id)


class Holds(Model):
    holds: tuple[Hold, ...]


class TenantLimits(Model):
    tenant_id: UUID
    most_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """None: no cap."""
    weight: Weight = 1
