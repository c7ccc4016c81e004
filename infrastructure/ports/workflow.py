"""Protocols of the workflow pool."""

from typing import Protocol
from uuid import UUID

from schemas.workflow import InstanceState, WorkflowInstance


class Instances(Protocol):
    """The tenants' workflow instances."""

    async def read(self, tenant_id: UUID, instance_id: UUID) -> WorkflowInstance | None: ...

    async def write(self, tenant_id: UUID, instance_id: UUID, state: InstanceState, *, seen: int) -> bool:
        """Writes the instance if its version is `seen` (0: it doesn't exist yet), and returns whether it did, so of two
        concurrent writers one wins."""
        ...
