"""Reads the oldest waiting jobs of many tenants at once, for the fair scheduler: one index lookup for each tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from infrastructure.celery.message import UUID_BYTES
from infrastructure.postgres.session import Connection

MAX_TURNS = 1_000

# One value for all ids of a turn: they aren't needed one by one before the claim (infrastructure/celery/message.py).
_NEXT = """
SELECT s.number, w.ids, w.kinds
FROM unnest(%(number)b::int4[], %(queue)b::text[], %(lane)b::int2[], %(tenant_id)b::uuid[], %(after)b::uuid[],
    %(most)b::int8[]) AS s (number, queue, lane, tenant_id, after, most)
CROSS JOIN LATERAL (
  SELECT string_agg(uuid_send(id), '' ORDER BY id) AS ids, array_agg(kind ORDER BY id) AS kinds FROM (
    SELECT id, kind FROM jobs
    WHERE queue = s.queue AND lane = s.lane AND tenant_id = s.tenant_id AND id >= s.after
      AND wake_at IS NOT NULL AND state = 'queued'
    ORDER BY id LIMIT s.most) j) w
WHERE w.ids IS NOT NULL
"""

# PostgreSQL has no skip scan for this, so a recursive query jumps from one (lane, tenant) pair to the next: as many
# steps as tenants wait, however many jobs each has. It selects the first job of each in the index's order: for EXISTS
# the planner joins, and reads the whole backlog once for each tenant.
WAITING = f"""
WITH RECURSIVE turn AS (
  (SELECT lane, tenant_id, 1 AS n FROM jobs
   WHERE queue = %(queue)s AND wake_at IS NOT NULL AND state = 'queued' AND (lane, tenant_id) > (%(lane)s, %(tenant_id)s)
   ORDER BY lane, tenant_id LIMIT 1)
  UNION ALL
  SELECT next.lane, next.tenant_id, turn.n + 1 FROM turn CROSS JOIN LATERAL (
    SELECT lane, tenant_id FROM jobs
    WHERE queue = %(queue)s AND wake_at IS NOT NULL AND state = 'queued'
      AND (lane, tenant_id) > (turn.lane, turn.tenant_id)
    ORDER BY lane, tenant_id LIMIT 1) next
  WHERE turn.n < {MAX_TURNS})
SELECT lane, tenant_id FROM turn
"""
UNCLAIMED = f"""
{WAITING} WHERE (
  SELECT j.id FROM jobs j WHERE j.queue = %(queue)s AND j.lane = turn.lane AND j.tenant_id = turn.tenant_id
    AND j.wake_at IS NOT NULL AND j.wake_at <= now() AND j.state = 'queued'
  ORDER BY j.id LIMIT 1) IS NOT NULL
"""
BEFORE_ALL = (-1, UUID(int=0))


@dataclass(frozen=True, slots=True)
class Turn:
    """A tenant's turn in one priority step of a queue: the id to read from, and how many jobs to read."""

    queue: str
    lane: int
    tenant_id: UUID
    after: UUID
    most: int


@dataclass(frozen=True, slots=True)
class Next:
    """A turn's oldest waiting jobs, in the order of submission."""

    ids: bytes
    """The jobs' UUIDs, 16 bytes each, concatenated."""
    kinds: list[str]

    def __len__(self) -> int:
        return len(self.kinds)

    def id_at(self, number: int) -> bytes:
        return self.ids[number * UUID_BYTES : (number + 1) * UUID_BYTES]

    def each(self) -> list[bytes]:
        return list(map(self.id_at, range(len(self))))

    def first(self, limit: int) -> "Next":
        return Next(self.ids[: limit * UUID_BYTES], self.kinds[:limit])

    def without(self, rung: frozenset[bytes], limit: int) -> "Next":
        """The first `limit` jobs that aren't in `rung`."""
        if not rung:
            return self.first(limit)
        left = [number for number, job_id in enumerate(self.each()) if job_id not in rung][:limit]
        return Next(b"".join(map(self.id_at, left)), [self.kinds[number] for number in left])


NOBODY = Next(b"", [])


async def next_of(connection: Connection, turns: Sequence[Turn]) -> list[Next]:
    """The oldest waiting jobs of each turn, in the same order."""
    found = await connection.execute(
        _NEXT,
        {
            "number": list(range(len(turns))),
            "queue": [turn.queue for turn in turns],
            "lane": [turn.lane for turn in turns],
            "tenant_id": [turn.tenant_id for turn in turns],
            "after": [turn.after for turn in turns],
            "most": [turn.most for turn in turns],
        },
        binary=True,
    )
    waiting = {number: Next(ids, kinds) for number, ids, kinds in await found.fetchall()}
    return [waiting.get(number, NOBODY) for number in range(len(turns))]


async def waiting(
    connection: Connection, queue: str, after: tuple[int, UUID] = BEFORE_ALL, *, overdue: bool = False
) -> list[tuple[int, UUID]]:
    """The next MAX_TURNS (lane, tenant) with jobs waiting in this queue, in order; with `overdue` only those with jobs
    whose doorbell should have led to a claim by now."""
    lane, tenant_id = after
    statement = UNCLAIMED if overdue else WAITING
    found = await connection.execute(statement, {"queue": queue, "lane": lane, "tenant_id": tenant_id})
    return await found.fetchall()
