"""What happens to workflow instances."""

from typing import ClassVar
from uuid import UUID

from events.envelope import DomainEvent
from schemas.model import FreeJson


class WorkflowCompleted(DomainEvent):
    """The instance reached an end: once. It doesn't come for one that fails, which ends with its job's problem instead."""

    type: ClassVar[str] = "workflow.completed"

    instance_id: UUID
    state: str
    """The one it ended in."""
    output: FreeJson
    steps: int
