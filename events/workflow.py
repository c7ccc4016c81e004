"""Events of workflow instances."""

from typing import ClassVar
from uuid import UUID

from events.envelope import DomainEvent
from schemas.model import FreeJson


class WorkflowCompleted(DomainEvent):
    """The instance reached a final state; fires once. It doesn't fire for an instance that fails: its job's problem says why."""

    type: ClassVar[str] = "workflow.completed"

    instance_id: UUID
    state: str
    """The state it ended in."""
    output: FreeJson
    steps: int
