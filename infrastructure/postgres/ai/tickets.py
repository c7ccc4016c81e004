"""Batch tickets in PostgreSQL. What is known of a ticket's request stands in the ledger."""

from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from infrastructure.ports.ai.ledger import NewAttempt
from infrastructure.ports.ai.tickets import LeftTicket, Ticket
from infrastructure.postgres.ai.attempts import BEGUN_COLUMNS, attempt_in
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.jobs import TERMINAL

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
LOOKED_AFTER_SECONDS: Final = 60.0
_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_LEFT_OVER: Final = f"""
WITH due AS (
  SELECT b.tenant_id, b.job_id, b.asked FROM ai_batches b JOIN jobs j ON j.id = b.job_id
  WHERE j.state IN ({_ENDED}) AND (b.looked_at IS NULL OR b.looked_at < now() - make_interval(secs => {LOOKED_AFTER_SECONDS}))
  ORDER BY b.submitted_at LIMIT %s FOR UPDATE OF b SKIP LOCKED)
UPDATE ai_batches b SET looked_at = now() FROM due, ai_service_requests r
WHERE b.tenant_id = due.tenant_id AND b.job_id = due.job_id AND b.asked = due.asked
  AND r.id = b.request_id AND r.tenant_id = b.tenant_id
RETURNING b.asked, b.batch_id, b.submitted_at, {", ".join(f"r.{column}" for column in BEGUN_COLUMNS)}
"""


class StoredTickets:
    """See `BatchTickets`. The session has the system's role."""

    def __init__(self, pool: TenantPool, system: PostgresSession) -> None:
        self._pool = pool
        self._system = system

    async def of(self, tenant_id: UUID, job_id: UUID, asked: str) -> Ticket | None:
        return await self._pool.run(tenant_id, partial(_of, tenant_id=tenant_id, job_id=job_id, asked=asked))

    async def keep(self, ticket: Ticket) -> None:
        await self._pool.run(ticket.tenant_id, partial(_keep, ticket=ticket))

    async def forget(self, ticket: Ticket) -> None:
        await self._pool.run(ticket.tenant_id, partial(_forget, ticket=ticket))

    async def left_over(self, limit: int) -> tuple[LeftTicket, ...]:
        return await self._system.run(partial(_left_over, limit=limit))


async def _of(connection: Connection, tenant_id: UUID, job_id: UUID, asked: str) -> Ticket | None:
    row = await (await connection.execute(_OF, (tenant_id, job_id, asked))).fetchone()
    return None if row is None else Ticket(*row)


async def _keep(connection: Connection, ticket: Ticket) -> None:
    await connection.execute(_KEEP, (ticket.tenant_id, ticket.job_id, ticket.asked, ticket.request_id, ticket.batch_id))


async def _forget(connection: Connection, ticket: Ticket) -> None:
    await connection.execute(_FORGET, (ticket.tenant_id, ticket.job_id, ticket.asked, ticket.request_id))


async def _left_over(connection: Connection, limit: int) -> tuple[LeftTicket, ...]:
    rows = await (await connection.execute(_LEFT_OVER, (limit,))).fetchall()
    return tuple(
        _left(asked, batch_id, submitted_at, attempt_in(begun)) for asked, batch_id, submitted_at, *begun in rows
    )


def _left(asked: str, batch_id: str, submitted_at: datetime, begun: NewAttempt) -> LeftTicket:
    assert begun.job_id is not None, "a ticket is a job's"
    ticket = Ticket(
        begun.tenant_id,
        begun.job_id,
        asked,
        begun.id,
        batch_id,
        begun.provider,
        begun.model,
        begun.own_key,
        begun.reserved_usd,
    )
    return LeftTicket(ticket, begun, submitted_at)
