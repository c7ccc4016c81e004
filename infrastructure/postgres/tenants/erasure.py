"""Erases a tenant's rows, table by table, and proves that none is left. For the system's role.

A table takes part by declaring in infrastructure/postgres/tables which column owns its rows: a new one is erased, and
counted in the proof, without a line here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from infrastructure.postgres.jobs.cancellation import cancel
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.pubsub import Channel, announce
from schemas.jobs import TERMINAL

ROWS_AT_ONCE: Final = 5_000
_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
KEPT: Final = frozenset({"tenants", "tenant_erasures"})
"""What is left: the tenant's id in the state `erased`, and the proof."""
FIRST: Final = ("tenant_keys", "api_keys")
"""The keys go first: whatever is still stored of the tenant, in a backup too, can't be opened any more."""
LAST: Final = ("holds",)
"""The hold that keeps the tenant's jobs from starting goes when no job is left."""

# Another job takes over from one that ended before its work.
_BEGIN = f"""
INSERT INTO tenant_erasures AS e (tenant_id, job_id, requested_by) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id) DO UPDATE SET job_id = excluded.job_id
WHERE e.proof IS NULL AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = e.job_id AND j.state NOT IN ({_ENDED}))
"""
_COUNT_ERASED = """
UPDATE tenant_erasures SET erased = jsonb_set(erased, ARRAY[%(part)s], to_jsonb(coalesce((erased ->> %(part)s)::bigint, 0) + %(count)s))
WHERE tenant_id = %(tenant_id)s
"""
_ERASED = "SELECT erased, proof FROM tenant_erasures WHERE tenant_id = %s"
_CLOSE = "UPDATE tenant_erasures SET proof = %s WHERE tenant_id = %s AND proof IS NULL"
_FORGET_NAME = """
UPDATE tenants SET name = 'erased-' || id, display_name = '', region = NULL, state = 'erased', state_because = '',
  state_since = now()
WHERE id = %s AND state = 'erasing'
"""
_RUNNING = "SELECT id FROM jobs WHERE tenant_id = %s AND state = 'running' ORDER BY id LIMIT %s"


class StoredErasures:
    """Erasures in PostgreSQL; the port says what each does."""

    def __init__(self, session: PostgresSession, redis: Redis) -> None:
        self._session = session
        self._redis = redis

    async def stop_jobs(self, tenant_id: UUID) -> None:
        while found := await self._session.run(lambda connection: running(connection, tenant_id)):
            for job_id in found:
                await self._session.run(partial(cancel, tenant_id=tenant_id, job_id=job_id))
            with suppress(*FAULTS):  # Their workers find out by their next heartbeat.
                await announce(self._redis, Channel.STOP, found)

    async def erase_rows(self, tenant_id: UUID) -> int:
        erased = 0
        for table, column in tables():
            while count := await self._session.run(
                partial(erase_rows, tenant_id=tenant_id, table=table, column=column)
            ):
                erased += count
        return erased

    async def count_erased(self, tenant_id: UUID, part: str, count: int) -> None:
        await self._session.run(lambda connection: count_erased(connection, tenant_id, part, count))

    async def left(self, tenant_id: UUID) -> tuple[dict[str, int], datetime]:
        return await self._session.run(lambda connection: left(connection, tenant_id))

    async def erased(self, tenant_id: UUID) -> tuple[dict[str, int], dict[str, Any] | None]:
        return await self._session.run(lambda connection: progress(connection, tenant_id))

    async def close(self, tenant_id: UUID, proof: Mapping[str, Any]) -> None:
        await self._session.run(lambda connection: close(connection, tenant_id, proof))

    @property
    def tables(self) -> Sequence[str]:
        return [table for table, _ in tables()]


def tables() -> Iterator[tuple[str, str]]:
    """Each table that has tenants' rows with its owner's column, in the order of erasure: what refers to others goes before
    them."""
    # SQLAlchemy, which declares the tables, takes longer to load than all else that a worker needs to begin.
    from infrastructure.postgres.tables import OWNER, metadata

    owned = [table for table in reversed(metadata.sorted_tables) if OWNER in table.info and table.name not in KEPT]
    rank = {name: place - len(FIRST) for place, name in enumerate(FIRST)} | dict.fromkeys(LAST, 1)
    for table in sorted(owned, key=lambda table: rank.get(table.name, 0)):
        yield table.name, table.info[OWNER]


async def begin(connection: Connection, tenant_id: UUID, job_id: UUID, requested_by: str) -> bool:
    """Records that the job erases the tenant; False when an earlier one does, or did. Call it in a transaction."""
    return (await connection.execute(_BEGIN, (tenant_id, job_id, requested_by))).rowcount > 0


async def running(connection: Connection, tenant_id: UUID) -> list[UUID]:
    """Some of the tenant's jobs that still run."""
    found = await connection.execute(_RUNNING, (tenant_id, ROWS_AT_ONCE))
    return [job_id for (job_id,) in await found.fetchall()]


async def erase_rows(connection: Connection, tenant_id: UUID, table: str, column: str) -> int:
    """Deletes up to ROWS_AT_ONCE rows and counts them, in one transaction. Returns how many."""
    async with connection.transaction():
        found = await connection.execute(
            f"DELETE FROM {table} WHERE {column} = %(tenant_id)s AND ctid = ANY(ARRAY("
            f"SELECT ctid FROM {table} WHERE {column} = %(tenant_id)s LIMIT {ROWS_AT_ONCE}))",
            {"tenant_id": tenant_id},
        )
        await count_erased(connection, tenant_id, table, found.rowcount)
    return found.rowcount


async def count_erased(connection: Connection, tenant_id: UUID, part: str, count: int) -> None:
    if count:
        await connection.execute(_COUNT_ERASED, {"tenant_id": tenant_id, "part": part, "count": count})


async def left(connection: Connection, tenant_id: UUID) -> tuple[dict[str, int], datetime]:
    """How many rows each table still has of the tenant, tables with none left out, and when they were counted."""
    counts = {}
    for table, column in tables():
        row = await (
            await connection.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", (tenant_id,))
        ).fetchone()
        assert row is not None, "a count is one row"
        if row[0]:
            counts[table] = int(row[0])
    now = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert now is not None
    return counts, now[0]


async def progress(connection: Connection, tenant_id: UUID) -> tuple[dict[str, int], dict[str, Any] | None]:
    """What has been erased so far, and the proof once there is one."""
    row = await (await connection.execute(_ERASED, (tenant_id,))).fetchone()
    return ({}, None) if row is None else (row[0], row[1])


async def close(connection: Connection, tenant_id: UUID, proof: Mapping[str, Any]) -> None:
    """Stores the proof, and forgets the tenant's name. Safe to repeat: the first proof stands."""
    async with connection.transaction():
        await connection.execute(_CLOSE, (Jsonb(dict(proof)), tenant_id))
        await connection.execute(_FORGET_NAME, (tenant_id,))
