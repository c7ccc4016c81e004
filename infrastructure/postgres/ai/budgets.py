"""Budgets in PostgreSQL: the tenants' limits, what was spent of them by the ledger, and whose parts were reported."""

from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from infrastructure.concurrency.believed import Believed
from infrastructure.ports.ai.budgets import Budget, Spent
from infrastructure.ports.ai.reservations import BudgetScope, Crossed
from infrastructure.postgres.ai.attempts import spent_by_job
from infrastructure.postgres.ai.spending import spending_of
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.tenants import DEFAULT_LIMITS

KNOWN_SECONDS: Final = 2.0
MAX_KNOWN: Final = 10_000
MAX_OPEN: Final = 10_000
"""Attempts of one tenant under way that are listed; more than all processes make at a time."""

_LIMITS = "SELECT ai_usd_a_day, ai_usd_a_month FROM tenant_limits WHERE tenant_id = %s"
_OPEN = f"""
SELECT id, reserved_usd FROM ai_service_requests
WHERE tenant_id = %s AND ended_at IS NULL AND lane <> 'batch' AND reserved_usd > 0 ORDER BY created_at DESC LIMIT {MAX_OPEN}
"""
_PERIOD: Final = {
    BudgetScope.DAY: "now()::date",
    BudgetScope.MONTH: "date_trunc('month', now())::date",
    BudgetScope.JOB: "NULL::date",
}
_REPORT = """
INSERT INTO ai_budget_alerts (tenant_id, scope, period, percent, job_id)
SELECT %(tenant_id)s, %(scope)s, coalesce(({period})::text, %(job_id)s::text), %(percent)s, %(job_id)s
ON CONFLICT DO NOTHING RETURNING {period}
"""


class StoredBudgets:
    """See `Budgets`."""

    def __init__(self, pool: TenantPool) -> None:
        self._pool = pool
        self._limits = Believed(self._read, seconds=KNOWN_SECONDS, max_known=MAX_KNOWN)

    async def of(self, tenant_id: UUID) -> Budget:
        return await self._limits.of(tenant_id)

    async def _read(self, tenant_id: UUID) -> Budget:
        return await self._pool.run(tenant_id, lambda connection: _limits(connection, tenant_id))

    async def spent(self, tenant_id: UUID) -> Spent:
        async def read(connection: Connection) -> Spent:
            # In this order: what ends in between counts twice for a moment, and never not at all.
            found = await connection.execute(_OPEN, (tenant_id,))
            opened = tuple(await found.fetchall())
            spending = await spending_of(connection, tenant_id)
            return Spent(spending.spent_today, spending.spent_this_month, opened)

        return await self._pool.run(tenant_id, read)

    async def spent_by_job(self, tenant_id: UUID, job_id: UUID) -> Decimal:
        spending = await self._pool.run(tenant_id, lambda connection: spent_by_job(connection, tenant_id, job_id))
        return spending.dollars

    async def report(self, tenant_id: UUID, job_id: UUID, crossed: Crossed) -> tuple[bool, date | None]:
        """Whether nobody has reported this part of the budget in its period yet, and the period; None for a job's. Whoever
        is told so reports it. Raises Unavailable; safe to repeat, but for the first answer."""

        async def write(connection: Connection) -> tuple[bool, date | None]:
            values = {
                "tenant_id": tenant_id,
                "scope": crossed.scope.value,
                "percent": crossed.percent,
                "job_id": job_id,
            }
            found = await connection.execute(_REPORT.format(period=_PERIOD[crossed.scope]), values)
            row = await found.fetchone()
            return (False, None) if row is None else (True, row[0])

        return await self._pool.run(tenant_id, write)


async def _limits(connection: Connection, tenant_id: UUID) -> Budget:
    row = await (await connection.execute(_LIMITS, (tenant_id,))).fetchone()
    day, month = (None, None) if row is None else row
    usual = DEFAULT_LIMITS
    return Budget(usual.ai_usd_a_day if day is None else day, usual.ai_usd_a_month if month is None else month)
