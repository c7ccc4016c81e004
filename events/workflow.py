"""Events of workflow instances."""

from typing import ClassVar
from uuid import UUID

from events.envelope import Commands, DomainEvent
from schemas.model import FreeJson
from schemas.workflow import RunWorkflowStep


class WorkflowCompleted(DomainEvent):
    """The instance reached a final state; fires once. It doesn't fire for an instance that fails: its job's problem says why."""

    type: ClassVar[str] = "workflow.completed"
    result_of: ClassVar[Commands] = (RunWorkflowStep,)

    instance_id: UUID
    state: str
    """The state it ended in."""
    output: FreeJson
    steps: int
