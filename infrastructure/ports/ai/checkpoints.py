"""The port of checkpoints: what a job has finished and paid for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

PLAN = -1
"""The checkpoint of a plan, before the first section's."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    section: int
    content: Mapping[str, Any] = field(repr=False)
    """JSON. At most 1 MB."""


class Checkpoints(Protocol):
    """Sealed in PostgreSQL. Every call raises Unavailable when that can't be reached, and is safe to repeat."""

    async def of_job(self, tenant_id: UUID, job_id: UUID) -> Mapping[int, Checkpoint]: ...

    async def keep(self, tenant_id: UUID, job_id: UUID, checkpoint: Checkpoint) -> Checkpoint:
        """Keeps it unless the section has one, and returns the one that is kept."""
        ...

    async def delete(self, tenant_id: UUID, job_id: UUID) -> None: ...
