"""Quotas of what a tenant may keep, counted under a lock, so that concurrent requests can't exceed them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from infrastructure.postgres.session import Connection
from schemas.problems import Problem
from schemas.tenants import DEFAULT_LIMITS


class QuotaExceeded(Exception):
    """The tenant has as much as it may have. An operator can raise the limit of that name, if it is one of a tenant's."""

    def __init__(self, quota: str, *, used: Decimal | float, limit: Decimal | float, adjustable: bool = True) -> None:
        super().__init__(f"{used:,} of {limit:,} {quota} are used")
        self.quota = quota
        self.used = used
        self.limit = limit
        self.adjustable = adjustable

    @property
    def problem(self) -> Problem:
        """What a job says that failed of it."""
        quota = self.quota.replace("_", " ")
        more = "or have an operator raise the limit; then replay the job" if self.adjustable else "then replay the job"
        detail = f"The tenant has {self.used:,} of {self.limit:,}, and this doesn't fit in. Remove some, {more}."
        name = f"too-many-{self.quota.replace('_', '-')}"
        return Problem.of(name, f"The tenant's quota of {quota} is used up", 409, detail)


class TenantSuspended(Exception):
    """The tenant was suspended before this was stored."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The rows of a table that count against one limit."""

    name: str
    table: str
    counted: str = "true"
    limit: int | None = None
    """The same for every tenant; None for the column of `tenant_limits` of the quota's name."""
    while_suspended: bool = False
    """Whether a suspended tenant may get another one."""


WEBHOOKS: Final = Quota("webhooks", "webhooks")
GROUPS: Final = Quota("groups", "consumer_groups")
SCHEDULES: Final = Quota("schedules", "schedules")
HOLDS: Final = Quota("holds", "holds", limit=50, while_suspended=True)
HOLDS_OF_ALL: Final = Quota("holds", "holds", limit=1_000)
"""Each worker matches its jobs against all holds, so the whole system has no more."""
API_KEYS: Final = Quota("keys", "api_keys", "revoked_at IS NULL", limit=1_000, while_suspended=True)
OPEN_REPLAYS: Final = Quota("replays", "replays", "finished_at IS NULL", limit=20)
COUNTED: Final = (WEBHOOKS, GROUPS, SCHEDULES)
"""Those that an operator sets for each tenant."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What of a quota is used. It stays so until the transaction ends."""

    quota: Quota
    used: int
    limit: int

    def check(self) -> None:
        """Raises QuotaExceeded when there is no room for another one."""
        if self.used >= self.limit:
            raise QuotaExceeded(self.quota.name, used=self.used, limit=self.limit, adjustable=self.quota.limit is None)


async def usage_of(connection: Connection, quota: Quota, tenant_id: UUID | None) -> Usage:
    """What the tenant, or the system itself where it is None, uses of the quota. Call it in the transaction that inserts:
    other callers wait for its end, and count its rows. Raises TenantSuspended when the tenant may add nothing.

    Lock and count are two statements, since a statement that waited for the lock would count by an older snapshot.
    """
    await lock(connection, quota, tenant_id)
    found = await connection.execute(_statement(quota), {"tenant_id": tenant_id})
    row = await found.fetchone()
    assert row is not None, "a count is one row"
    used, limit, suspended = row
    if suspended and not quota.while_suspended:
        raise TenantSuspended(f"tenant {tenant_id} is suspended")
    return Usage(quota, used, limit)


async def check_room(connection: Connection, quota: Quota, tenant_id: UUID) -> None:
    """Raises QuotaExceeded when the tenant can't have another one. Call it as `usage_of`."""
    (await usage_of(connection, quota, tenant_id)).check()


async def check_active(connection: Connection, tenant_id: UUID) -> None:
    """Raises TenantSuspended unless the tenant is active. One that is suspended at the same moment has the job held."""
    found = await connection.execute("SELECT state FROM tenants WHERE id = %s", (tenant_id,))
    row = await found.fetchone()
    if row is not None and row[0] != "active":
        raise TenantSuspended(f"tenant {tenant_id} is {row[0]}")


async def lock(connection: Connection, quota: Quota, tenant_id: UUID | None) -> None:
    """Keeps others from adding or renaming one until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"quota {quota.table} {tenant_id}",)
    )


def _statement(quota: Quota) -> str:
    limit = str(quota.limit)
    if quota.limit is None:
        default = getattr(DEFAULT_LIMITS, quota.name)
        limit = f"coalesce((SELECT {quota.name} FROM tenant_limits WHERE tenant_id = %(tenant_id)s::uuid), {default})"
    return f"""
    SELECT count(*), {limit},
      EXISTS (SELECT FROM tenants WHERE id = %(tenant_id)s::uuid AND state <> 'active')
    FROM {quota.table} WHERE tenant_id IS NOT DISTINCT FROM %(tenant_id)s::uuid AND {quota.counted}
    """
