"""Reads whose turn it is: the oldest waiting jobs of many tenants at once, each by its own place in the index."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from infrastructure.celery.message import UUID_BYTES
from infrastructure.postgres.session import Connection

MAX_TURNS = 1_000

# The ids come as one value a turn: nobody needs them one by one before the claim (infrastructure/celery/message.py).
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

# PostgreSQL skips no index entries by itself, so the distinct (lane, tenant) pairs are found by jumping from one to the
# next: as many steps as there are tenants waiting, however many jobs each has. Of each the first is asked for in the
# index's order: for "whether any exists" the planner joins, and reads everybody's backlog once for each tenant.
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
    """A tenant's place in one step of a queue: where its oldest waiting job may be, and how many to read."""

    queue: str
    lane: int
    tenant_id: UUID
    after: UUID
    most: int


@dataclass(frozen=True, slots=True)
class Next:
    """A turn's oldest waiting jobs, in the order they were made."""

    ids: bytes
    """One UUID after the other."""
    kinds: list[str]

    def __len__(self) -> int:
        return len(self.kinds)

    def id_at(self, number: int) -> bytes:
        return self.ids[number * UUID_BYTES : (number + 1) * UUID_BYTES]

    def each(self) -> list[bytes]:
        return list(map(self.id_at, range(len(self))))

    def without(self, rung: frozenset[bytes], most: int) -> "Next":
        """The first of them that aren't among those, at most so many."""
        if not rung:
            return Next(self.ids[: most * UUID_BYTES], self.kinds[:most])
        left = [number for number, job_id in enumerate(self.each()) if job_id not in rung][:most]
        return Next(b"".join(map(self.id_at, left)), [self.kinds[number] for number in left])


NOBODY = Next(b"", [])


async def next_of(connection: Connection, turns: Sequence[Turn]) -> list[Next]:
    """For each turn its oldest waiting jobs."""
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
    """The next MAX_TURNS (lane, tenant) that have jobs waiting in this queue, in their order; those overdue only, whose
    jobs wait longer than they should."""
    lane, tenant_id = after
    statement = UNCLAIMED if overdue else WAITING
    found = await connection.execute(statement, {"queue": queue, "lane": lane, "tenant_id": tenant_id})
    return await found.fetchall()
