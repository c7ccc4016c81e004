"""Checkpoints for tests of what jobs do with them, without a database."""

from collections.abc import Mapping
from uuid import UUID

from infrastructure.ports.ai.checkpoints import Checkpoint


class CheckpointsInMemory:
    """See `Checkpoints`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[UUID, UUID], dict[int, Checkpoint]] = {}

    async def of_job(self, tenant_id: UUID, job_id: UUID) -> Mapping[int, Checkpoint]:
        return dict(self._kept.get((tenant_id, job_id), {}))

    async def keep(self, tenant_id: UUID, job_id: UUID, checkpoint: Checkpoint) -> Checkpoint:
        return self._kept.setdefault((tenant_id, job_id), {}).setdefault(checkpoint.section, checkpoint)

    async def delete(self, tenant_id: UUID, job_id: UUID) -> None:
        self._kept.pop((tenant_id, job_id), None)
