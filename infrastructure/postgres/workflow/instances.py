"""Stored workflow instances: one row each, updated with optimistic locking on its version."""

from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from infrastructure.postgres.jobs.queries import readable
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.problems import UNREADABLE
from schemas.workflow import InstanceState, WorkflowInstance

_READ = """
SELECT id, status, state, data::text, steps, problem, version, created_at, updated_at
FROM workflow_instances WHERE tenant_id = %s AND id = %s
"""
_CREATE = """
INSERT INTO workflow_instances (id, tenant_id, status, state, data, steps, problem, version)
VALUES (%(id)s, %(tenant)s, %(status)s, %(state)s, %(data)s, %(steps)s, %(problem)s, 1)
ON CONFLICT (id) DO NOTHING RETURNING id
"""
_CHANGE = """
UPDATE workflow_instances SET status = %(status)s, state = %(state)s, data = %(data)s, steps = %(steps)s,
  problem = %(problem)s, version = version + 1, updated_at = now()
WHERE tenant_id = %(tenant)s AND id = %(id)s AND version = %(seen)s RETURNING id
"""


class StoredInstances:
    """Instances in PostgreSQL."""

    def __init__(self, pool: TenantPool) -> None:
        self._pool = pool

    async def read(self, tenant_id: UUID, instance_id: UUID) -> WorkflowInstance | None:
        row = await self._pool.run(tenant_id, lambda connection: _row(connection, tenant_id, instance_id))
        return None if row is None else _whole(row)

    async def write(self, tenant_id: UUID, instance_id: UUID, state: InstanceState, *, seen: int) -> bool:
        row = {
            "tenant": tenant_id,
            "id": instance_id,
            "status": state.status.value,
            "state": state.state,
            "data": Jsonb(state.data),
            "steps": Jsonb([step.model_dump(mode="json") for step in state.steps]),
            "problem": None if state.problem is None else Jsonb(state.problem.bounded().model_dump(mode="json")),
            "seen": seen,
        }

        async def write(connection: Connection) -> bool:
            return await (await connection.execute(_CREATE if seen == 0 else _CHANGE, row)).fetchone() is not None

        return await self._pool.run(tenant_id, write)


async def instance(connection: Connection, tenant_id: UUID, instance_id: UUID) -> WorkflowInstance | None:
    """The instance; None when the tenant has no such instance. When its data can't be parsed, its problem says so
    instead."""
    row = await _row(connection, tenant_id, instance_id)
    try:
        return None if row is None else _whole(row)
    except ValueError:
        return WorkflowInstance.model_validate({**(row or {}), "data": None, "problem": UNREADABLE})


async def _row(connection: Connection, tenant_id: UUID, instance_id: UUID) -> dict[str, Any] | None:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_READ, (tenant_id, instance_id))
        return await cursor.fetchone()


def _whole(row: dict[str, Any]) -> WorkflowInstance:
    return WorkflowInstance.model_validate({**row, "data": readable(row["data"])})
