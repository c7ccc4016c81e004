"""What the workflow pool calls on."""

from typing import Protocol
from uuid import UUID

from schemas.workflow import InstanceState, WorkflowInstance


class Instances(Protocol):
    """The tenants' workflow instances."""

    async def read(self, tenant_id: UUID, instance_id: UUID) -> WorkflowInstance | None: ...

    async def write(self, tenant_id: UUID, instance_id: UUID, state: InstanceState, *, seen: int) -> bool:
        """Whether it was written. It isn't when the instance has another version than `seen` (0: none yet), so of two
        that advance it at once, one wins."""
        ...
