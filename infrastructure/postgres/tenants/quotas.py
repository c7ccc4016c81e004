"""How many of a thing a tenant may keep, counted under a lock: no number of requests at the same moment gets past it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infrastructure.postgres.session import Connection


@dataclass(frozen=True, slots=True)
class Quota:
    """The rows of a table, all or some of them, that count against one limit."""

    table: str
    counted: str = "true"


WEBHOOKS: Final = Quota("webhooks")
GROUPS: Final = Quota("consumer_groups")
SCHEDULES: Final = Quota("schedules")
HOLDS: Final = Quota("holds")
API_KEYS: Final = Quota("api_keys", "revoked_at IS NULL")
OPEN_REPLAYS: Final = Quota("replays", "finished_at IS NULL")


async def has_room(connection: Connection, quota: Quota, tenant_id: UUID | None, limit: int) -> bool:
    """Whether the tenant, or the system itself where it is None, has fewer than `limit`. Until the transaction around
    this ends, whoever else asks waits; so what is inserted now is counted by them.

    Lock and count are two statements, since a statement that waited would count what it saw before it waited.
    """
    await lock(connection, quota, tenant_id)
    found = await connection.execute(
        f"SELECT count(*) FROM {quota.table} WHERE tenant_id IS NOT DISTINCT FROM %s AND {quota.counted}", (tenant_id,)
    )
    row = await found.fetchone()
    assert row is not None, "a count is one row"
    count: int = row[0]
    return count < limit


async def lock(connection: Connection, quota: Quota, tenant_id: UUID | None) -> None:
    """Nobody else adds one, or gives one another name, until the transaction around this ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"quota {quota.table} {tenant_id}",)
    )
