"""References to results in the object store: written when the job is settled, deleted with the job."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from infrastructure.postgres.session import Connection

PASS_SECONDS = 3_600.0
"""Between two passes over the whole object store."""
TURN_SECONDS = 60.0
"""A range taken by a dispatcher that died goes to another after this long."""


class StoredResult(NamedTuple):
    key: str
    bytes: int


_KEEP = """
INSERT INTO job_objects (job_id, tenant_id, key, bytes)
SELECT j.id, j.tenant_id, d.key, d.bytes
FROM unnest(%s::uuid[], %s::text[], %s::int8[]) AS d (job_id, key, bytes) JOIN jobs j ON j.id = d.job_id
ON CONFLICT (job_id) DO NOTHING
"""
_OF_JOB = "SELECT key, bytes FROM job_objects WHERE tenant_id = %s AND job_id = %s"
_ORPHANS = """
SELECT k.key FROM unnest(%s::text[], %s::uuid[]) AS k (key, job_id)
WHERE NOT EXISTS (SELECT 1 FROM job_objects o WHERE o.job_id = k.job_id AND o.key = k.key)
"""
_TAKE_TURN = """
UPDATE walks SET next_at = now() + make_interval(secs => %s) WHERE name = 'objects' AND next_at <= now()
RETURNING place, now()
"""
_MOVE_ON = "UPDATE walks SET place = %s, next_at = now() + make_interval(secs => %s) WHERE name = 'objects'"


async def keep(connection: Connection, stored: Sequence[tuple[UUID, StoredResult]]) -> None:
    """Stores the references of the jobs' results."""
    jobs = [job_id for job_id, _ in stored]
    await connection.execute(_KEEP, (jobs, [one.key for _, one in stored], [one.bytes for _, one in stored]))


async def result_of(connection: Connection, tenant_id: UUID, job_id: UUID) -> StoredResult | None:
    """The reference of the job's result; None when its result isn't in the object store."""
    found = await connection.execute(_OF_JOB, (tenant_id, job_id))
    row = await found.fetchone()
    return None if row is None else StoredResult(*row)


async def orphans(connection: Connection, keys: Sequence[tuple[str, UUID]]) -> list[str]:
    """Those of the (key, job) that are no job's result."""
    found = await connection.execute(_ORPHANS, ([key for key, _ in keys], [job_id for _, job_id in keys]))
    return [key for (key,) in await found.fetchall()]


async def take_turn(connection: Connection) -> tuple[str, datetime] | None:
    """Takes the next range of the pass: the key it starts after, and PostgreSQL's time. None when no pass is due, or
    another dispatcher runs it."""
    found = await connection.execute(_TAKE_TURN, (TURN_SECONDS,))
    return await found.fetchone()


async def move_on(connection: Connection, place: str) -> None:
    """Stores the cursor; an empty one ends the pass."""
    await connection.execute(_MOVE_ON, (place, 0.0 if place else PASS_SECONDS))
