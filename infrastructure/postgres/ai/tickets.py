"""Batch tickets in PostgreSQL. What is known of a ticket's request stands in the ledger."""

from functools import partial
from typing import Final
from uuid import UUID

from infrastructure.ports.ai.tickets import Ticket
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

_OF: Final = """
SELECT b.tenant_id, b.job_id, b.asked, b.request_id, b.batch_id, r.provider, r.model, r.own_key, r.reserved_usd
FROM ai_batches b JOIN ai_service_requests r ON r.id = b.request_id AND r.tenant_id = b.tenant_id
WHERE b.tenant_id = %s AND b.job_id = %s AND b.asked = %s
"""
_KEEP: Final = """
INSERT INTO ai_batches (tenant_id, job_id, asked, request_id, batch_id) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, job_id, asked) DO UPDATE SET request_id = excluded.request_id, batch_id = excluded.batch_id
"""
_FORGET: Final = "DELETE FROM ai_batches WHERE tenant_id = %s AND job_id = %s AND asked = %s AND request_id = %s"


class StoredTickets:
    """See `BatchTickets`."""

    def __init__(self, pool: TenantPool) -> None:
        self._pool = pool

    async def of(self, tenant_id: UUID, job_id: UUID, asked: str) -> Ticket | None:
        return await self._pool.run(tenant_id, partial(_of, tenant_id=tenant_id, job_id=job_id, asked=asked))

    async def keep(self, ticket: Ticket) -> None:
        await self._pool.run(ticket.tenant_id, partial(_keep, ticket=ticket))

    async def forget(self, ticket: Ticket) -> None:
        await self._pool.run(ticket.tenant_id, partial(_forget, ticket=ticket))


async def _of(connection: Connection, tenant_id: UUID, job_id: UUID, asked: str) -> Ticket | None:
    row = await (await connection.execute(_OF, (tenant_id, job_id, asked))).fetchone()
    return None if row is None else Ticket(*row)


async def _keep(connection: Connection, ticket: Ticket) -> None:
    await connection.execute(_KEEP, (ticket.tenant_id, ticket.job_id, ticket.asked, ticket.request_id, ticket.batch_id))


async def _forget(connection: Connection, ticket: Ticket) -> None:
    await connection.execute(_FORGET, (ticket.tenant_id, ticket.job_id, ticket.asked, ticket.request_id))
