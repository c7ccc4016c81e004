"""Which results lie in the object store, and where: written with the job's end, removed with the job."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from infrastructure.postgres.session import Connection

PASS_SECONDS = 3_600.0
"""Between two looks through the whole object store."""
TURN_SECONDS = 60.0
"""A dispatcher that takes a stretch and dies leaves it to the next after this long."""


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
    """Notes where the results of the jobs lie."""
    jobs = [job_id for job_id, _ in stored]
    await connection.execute(_KEEP, (jobs, [one.key for _, one in stored], [one.bytes for _, one in stored]))


async def result_of(connection: Connection, tenant_id: UUID, job_id: UUID) -> StoredResult | None:
    """Where the job's result lies; None when it lies in no object."""
    found = await connection.execute(_OF_JOB, (tenant_id, job_id))
    row = await found.fetchone()
    return None if row is None else StoredResult(*row)


async def orphans(connection: Connection, keys: Sequence[tuple[str, UUID]]) -> list[str]:
    """Those of the (key, job) that no job has as its result."""
    found = await connection.execute(_ORPHANS, ([key for key, _ in keys], [job_id for _, job_id in keys]))
    return [key for (key,) in await found.fetchall()]


async def take_turn(connection: Connection) -> tuple[str, datetime] | None:
    """The key after which to look on, and what time it is; None when nobody has to look now, or another does."""
    found = await connection.execute(_TAKE_TURN, (TURN_SECONDS,))
    return await found.fetchone()


async def move_on(connection: Connection, place: str) -> None:
    """Looked at up to this key; an empty one: the end was reached."""
    await connection.execute(_MOVE_ON, (place, 0.0 if place else PASS_SECONDS))
