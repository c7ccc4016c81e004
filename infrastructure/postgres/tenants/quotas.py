"""Quotas of what a tenant may keep, counted under a lock, so that concurrent requests can't exceed them."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infrastructure.postgres.session import Connection


@dataclass(frozen=True, slots=True)
class Quota:
    """The rows of a table that count against one limit."""

    table: str
    counted: str = "true"


WEBHOOKS: Final = Quota("webhooks")
GROUPS: Final = Quota("consumer_groups")
SCHEDULES: Final = Quota("schedules")
HOLDS: Final = Quota("holds")
API_KEYS: Final = Quota("api_keys", "revoked_at IS NULL")
OPEN_REPLAYS: Final = Quota("replays", "finished_at IS NULL")


async def has_room(connection: Connection, quota: Quota, tenant_id: UUID | None, limit: int) -> bool:
    """Whether the tenant, or the system itself where it is None, has fewer than `limit`. Call it in the transaction
    that inserts: other callers wait for its end, and count its rows.

    Lock and count are two statements, since a statement that waited for the lock would count by an older snapshot.
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
    """Keeps others from adding or renaming one until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"quota {quota.table} {tenant_id}",)
    )
