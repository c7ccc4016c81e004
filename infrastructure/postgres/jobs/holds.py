"""Holds: adds, lists and removes them, and applies them to the jobs that match."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from events.jobs import JobEvent
from infrastructure.postgres.jobs.claim import CLAIMABLE
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE, Unclaimed
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.quotas import HOLDS, HOLDS_OF_ALL, usage_of
from schemas.holds import Hold, HoldAction, NewHold
from schemas.jobs import HOLD, LIMIT, JobState, Trigger, transition

MAX_LISTED = 11_000
"""More than there can be: the operators' own, and one for each of ten thousand suspended tenants."""

_COLUMNS = "id, action, tenant_id, queue, kind, argument, reason, created_by, created_at, by_operator"
_CANCELLED = transition(JobState.QUEUED, Trigger.CANCEL)

_LIST = f"SELECT {_COLUMNS} FROM holds ORDER BY id LIMIT {MAX_LISTED}"
_OF_TENANT = f"SELECT {_COLUMNS} FROM holds WHERE tenant_id = %s OR tenant_id IS NULL ORDER BY id LIMIT {MAX_LISTED}"

# Adding the same hold twice makes one, so a client that lost the response may repeat.
_ADD = f"""
INSERT INTO holds (id, action, tenant_id, queue, kind, argument, reason, created_by, by_operator)
VALUES (%(id)s, %(action)s, %(tenant_id)s::uuid, %(queue)s, %(kind)s, %(argument)s::jsonb, %(reason)s, %(created_by)s,
  %(by_operator)s)
ON CONFLICT (tenant_id, action, queue, kind, argument) DO NOTHING
RETURNING {_COLUMNS}
"""
_THE_SAME = f"""
SELECT {_COLUMNS} FROM holds
WHERE tenant_id IS NOT DISTINCT FROM %(tenant_id)s::uuid AND action = %(action)s
  AND queue IS NOT DISTINCT FROM %(queue)s::text AND kind IS NOT DISTINCT FROM %(kind)s::text
  AND argument IS NOT DISTINCT FROM %(argument)s::jsonb
"""

_REMOVE = """
DELETE FROM holds WHERE id = %(id)s AND (%(tenant_id)s::uuid IS NULL OR tenant_id = %(tenant_id)s AND NOT by_operator)
"""
_PAUSED_QUEUES = """
SELECT queue FROM holds WHERE action = 'pause' AND tenant_id IS NULL AND kind IS NULL AND argument IS NULL
"""

# FOR SHARE waits for a hold that is being removed: a job held by a hold that is gone would wait for the sweep.
_HELD = f"""
WITH h AS MATERIALIZED (SELECT id, action, argument, reason FROM holds WHERE id = ANY(%(hold)b::uuid[]) FOR SHARE),
c AS (
  SELECT DISTINCT ON (j.id) j.id, h.id AS hold, h.action, h.reason
  FROM unnest(%(id)b::uuid[], %(hold)b::uuid[]) AS d (id, hold) JOIN h ON h.id = d.hold JOIN jobs j ON j.id = d.id
  WHERE j.state IN ({CLAIMABLE}) AND j.parked IS NULL AND (h.argument IS NULL OR j.command @> h.argument)
  ORDER BY j.id, h.action, h.id),
l AS (SELECT j.id FROM jobs j JOIN c ON c.id = j.id ORDER BY j.id FOR UPDATE OF j SKIP LOCKED),
u AS (
  UPDATE jobs j SET seq = j.seq + 1, wake_at = NULL,
    state = CASE c.action WHEN '{HoldAction.KILL}' THEN '{_CANCELLED}' ELSE j.state END,
    finished_at = CASE c.action WHEN '{HoldAction.KILL}' THEN now() END,
    parked = CASE c.action WHEN '{HoldAction.PAUSE}' THEN '{HOLD}' || c.hold END
  FROM l JOIN c ON c.id = l.id WHERE j.id = l.id AND j.state IN ({CLAIMABLE}) AND j.parked IS NULL
  RETURNING j.id, j.tenant_id, j.seq, j.parent_id, j.parked, j.kind, j.concurrency_key, c.hold, c.reason),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, CASE WHEN parked IS NULL THEN '{JobEvent.CANCELLED}' ELSE '{JobEvent.HELD}' END,
    CASE WHEN parked IS NULL THEN jsonb_build_object('by', 'killswitch', 'reason', reason, 'hold', hold)
      ELSE jsonb_build_object('reason', reason, 'hold', hold) END FROM u)
SELECT id, tenant_id, kind, parked IS NULL, parent_id, concurrency_key IS NOT NULL FROM u
"""

# The distinct reasons are found by jumping from one to the next, as many steps as there are holds with jobs.
_RELEASED = f"""
WITH RECURSIVE reason AS (
  (SELECT parked FROM jobs WHERE parked >= '{HOLD}' AND parked < '{HOLD}g' ORDER BY parked LIMIT 1)
  UNION ALL
  SELECT (SELECT j.parked FROM jobs j WHERE j.parked > reason.parked AND j.parked < '{HOLD}g'
    ORDER BY j.parked LIMIT 1) FROM reason WHERE reason.parked IS NOT NULL)
SELECT parked FROM reason
WHERE parked IS NOT NULL AND NOT EXISTS (SELECT FROM holds WHERE '{HOLD}' || holds.id = reason.parked)
"""

# A capped job had given its slot up, so it waits to be admitted again.
_LIFT = f"""
WITH c AS (
  SELECT id FROM jobs WHERE parked = %(reason)s
  ORDER BY tenant_id, concurrency_key, priority DESC, id LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE jobs j SET seq = j.seq + 1, parked = CASE WHEN j.concurrency_key IS NOT NULL THEN '{LIMIT}' END,
    wake_at = CASE WHEN j.concurrency_key IS NULL
      THEN greatest(j.run_at, now() + make_interval(secs => %(ring_again_seconds)s)) END
  FROM c WHERE j.id = c.id RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority, j.seq, j.parked),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, '{JobEvent.HOLD_LIFTED}',
    jsonb_build_object('hold', substr(%(reason)s::text, {len(HOLD) + 1}), 'capped', parked IS NOT NULL) FROM u)
SELECT id, tenant_id, kind, queue, priority, parked IS NOT NULL FROM u
"""


_WITHHELD = f"""
SELECT count(*) FILTER (WHERE parked = '{LIMIT}'), count(*) FILTER (WHERE parked <> '{LIMIT}')
FROM jobs WHERE parked IS NOT NULL
"""


class Matched(NamedTuple):
    """A job and a hold that it may match; the statement compares the hold's argument."""

    job_id: UUID
    hold_id: UUID


class Held(NamedTuple):
    """A job that a hold kept from being claimed: held, or cancelled by a killswitch."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    killed: bool
    parent_id: UUID | None
    capped: bool


@dataclass(frozen=True, slots=True)
class Released:
    """Jobs whose hold was removed: `bells` need a doorbell, `capped` wait to be admitted again."""

    bells: tuple[Unclaimed, ...]
    capped: tuple[UUID, ...]

    def __len__(self) -> int:
        return len(self.bells) + len(self.capped)


async def listed(connection: Connection) -> list[Hold]:
    """All holds, the oldest first. For the system's role."""
    return await _holds(connection, _LIST, ())


async def listed_for(connection: Connection, tenant_id: UUID) -> list[Hold]:
    """The holds that may match this tenant's jobs: its own and the operators'."""
    return await _holds(connection, _OF_TENANT, (tenant_id,))


async def add(
    connection: Connection, wanted: NewHold, tenant_id: UUID | None, created_by: str, *, by_operator: bool = False
) -> Hold:
    """Adds a hold and returns it, or the existing one if it is the same. Raises QuotaExceeded when there are too many
    already. Call it in a transaction."""
    asked = {
        "id": uuid7(),
        "tenant_id": tenant_id,
        "action": wanted.action,
        "queue": wanted.queue,
        "kind": wanted.kind,
        "argument": None if wanted.argument is None else Jsonb(wanted.argument),
        "reason": wanted.reason,
        "created_by": created_by,
        "by_operator": by_operator,
    }
    usage = await usage_of(connection, HOLDS_OF_ALL if tenant_id is None else HOLDS, tenant_id)
    existing = await _holds(connection, _THE_SAME, asked)
    if not existing:
        usage.check()
    return (existing or await _holds(connection, _ADD, asked))[0]


async def remove(connection: Connection, hold_id: UUID, *, tenant_id: UUID | None = None) -> bool:
    """Removes the hold, and returns whether it existed, for this tenant if one is given. A dispatcher releases its
    jobs."""
    found = await connection.execute(_REMOVE, {"id": hold_id, "tenant_id": tenant_id})
    return found.rowcount > 0


async def paused_queues(connection: Connection) -> frozenset[str]:
    """The queues that are paused as a whole. For the submitter's role, which sees no other holds."""
    found = await connection.execute(_PAUSED_QUEUES)
    return frozenset(queue for (queue,) in await found.fetchall())


async def hold_back(connection: Connection, matches: Sequence[Matched]) -> list[Held]:
    """Holds or cancels the waiting jobs that match, and returns them; the others may be claimed. Safe to repeat."""
    asked = {"id": [one.job_id for one in matches], "hold": [one.hold_id for one in matches]}
    found = await connection.execute(_HELD, asked, binary=True)
    return list(map(Held._make, await found.fetchall()))


async def release_held(connection: Connection, *, ring_again_seconds: float) -> Released:
    """Releases up to MAX_AT_ONCE jobs of one removed hold; fewer when none are left. Safe to repeat."""
    found = await connection.execute(_RELEASED)
    for (reason,) in await found.fetchall():
        freed = await connection.execute(_LIFT, {"reason": reason, "ring_again_seconds": ring_again_seconds})
        rows = await freed.fetchall()
        if rows:
            capped = tuple(row[0] for row in rows if row[5])
            return Released(tuple(Unclaimed(*row[:5]) for row in rows if not row[5]), capped)
    return Released((), ())


async def withheld(connection: Connection) -> dict[str, int]:
    """How many jobs are `capped`, and how many `held`."""
    found = await connection.execute(_WITHHELD)
    row = await found.fetchone()
    assert row is not None
    return {"capped": row[0], "held": row[1]}


async def _holds(connection: Connection, statement: LiteralString, parameters: Any) -> list[Hold]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, parameters)
        return [Hold.model_validate(row) for row in await cursor.fetchall()]
