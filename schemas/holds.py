"""Holds, which keep jobs from running."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from schemas.commands import QueueName
from schemas.model import FreeJson, Model

MAX_ARGUMENT_CHARACTERS = 1_000


class HoldAction(StrEnum):
    PAUSE = "pause"
    """Jobs that match wait until the hold is removed."""
    KILL = "kill"
    """Jobs that match are cancelled when a worker would have started them."""


def _fits(argument: JsonValue) -> JsonValue:
    if not isinstance(argument, dict) or not argument:
        raise ValueError('must be an object with at least one field, such as {"title": "Lease"}')
    if len(str(argument)) > MAX_ARGUMENT_CHARACTERS:
        raise ValueError(f"must not be longer than {MAX_ARGUMENT_CHARACTERS:,} characters")
    return argument


class NewHold(Model):
    """Selects the jobs to hold: those that match every given field; all the tenant's jobs if none is given."""

    action: HoldAction = HoldAction.PAUSE
    queue: QueueName | None = None
    kind: Annotated[str, Field(max_length=100, examples=["ai.process_document"])] | None = None
    argument: Annotated[FreeJson, AfterValidator(_fits)] | None = None
    """Part of the command as JSON, such as `{"title": "Lease"}`: matches commands that have these fields with these
    values."""
    reason: Annotated[str, Field(min_length=1, max_length=500, examples=["the provider is down"])]
    """For people: shown in the explanation of a held job."""


class Hold(Model):
    """Keeps jobs from running until it is removed."""

    id: UUID
    action: HoldAction
    tenant_id: UUID | None = None
    """None for a hold that an operator made for every tenant."""
    queue: str | None = None
    kind: str | None = None
    argument: dict[str, Any] | None = None
    reason: str
    created_by: str
    created_at: datetime
    by_operator: bool = False
    """Whether an operator made it: its tenant can't remove it."""

    @property
    def closes_queue(self) -> bool:
        """Whether it pauses a whole queue, so that workers stop claiming instead of holding each job."""
        only = (self.tenant_id, self.kind, self.argument) == (None, None, None)
        return only and self.action is HoldAction.PAUSE

    def may_concern(self, queue: str, kind: str, tenant_id: UUID) -> bool:
        """Whether such a job could match. The argument is compared later, where the command is known."""
        return self.queue in (None, queue) and self.kind in (None, kind) and self.tenant_id in (None, tenant_id)


class Holds(Model):
    holds: tuple[Hold, ...]
