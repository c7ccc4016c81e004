"""Admits capped jobs: as many of each concurrency key and tenant as their limits allow.

Jobs in flight are counted from the rows themselves, under a lock for each tenant, so no counter can drift and two
dispatchers can't admit into the same slot.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from events.jobs import JobEvent
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE, Unclaimed
from infrastructure.postgres.session import Connection
from schemas.jobs import IN_FLIGHT, LIMIT

MAX_SIBLINGS = 100
"""Keys of a capped tenant that are checked when one of its jobs ends; the sweep goes round all of them."""
MAX_KEYS = 500

_STATES = ", ".join(f"'{state}'" for state in IN_FLIGHT)
_UNDER_WAY = f"concurrency_key IS NOT NULL AND parked IS NULL AND state IN ({_STATES})"

# A job that ends frees a slot of its own key and, where the tenant itself is capped, for any key of that tenant.
_KEYS_OF = f"""
WITH RECURSIVE own AS (
  SELECT DISTINCT tenant_id, concurrency_key AS key FROM jobs
  WHERE id = ANY(%(ids)b::uuid[]) AND concurrency_key IS NOT NULL),
sibling AS (
  SELECT first.tenant_id, first.key, 1 AS n
  FROM (SELECT DISTINCT tenant_id FROM own) t
  JOIN tenant_limits l ON l.tenant_id = t.tenant_id AND l.most_in_flight IS NOT NULL
  CROSS JOIN LATERAL (
    SELECT tenant_id, concurrency_key AS key FROM jobs WHERE parked = '{LIMIT}' AND tenant_id = t.tenant_id
    ORDER BY concurrency_key LIMIT 1) first
  UNION ALL
  SELECT next.tenant_id, next.key, sibling.n + 1 FROM sibling CROSS JOIN LATERAL (
    SELECT tenant_id, concurrency_key AS key FROM jobs
    WHERE parked = '{LIMIT}' AND tenant_id = sibling.tenant_id AND concurrency_key > sibling.key
    ORDER BY concurrency_key LIMIT 1) next
  WHERE sibling.n < {MAX_SIBLINGS})
SELECT tenant_id, key FROM own UNION SELECT tenant_id, key FROM sibling
"""

# As in turns.py: PostgreSQL has no skip scan for this, so a recursive query jumps from one key to the next.
_KEYS_AFTER = f"""
WITH RECURSIVE waiting AS (
  (SELECT tenant_id, concurrency_key AS key, 1 AS n FROM jobs
   WHERE parked = '{LIMIT}' AND (tenant_id, concurrency_key) > (%(tenant_id)b::uuid, %(key)b::text)
   ORDER BY tenant_id, concurrency_key LIMIT 1)
  UNION ALL
  SELECT next.tenant_id, next.key, waiting.n + 1 FROM waiting CROSS JOIN LATERAL (
    SELECT tenant_id, concurrency_key AS key FROM jobs
    WHERE parked = '{LIMIT}' AND (tenant_id, concurrency_key) > (waiting.tenant_id, waiting.key)
    ORDER BY tenant_id, concurrency_key LIMIT 1) next
  WHERE waiting.n < {MAX_KEYS})
SELECT tenant_id, key FROM waiting
"""

# A separate statement, so that the next one's snapshot sees what the previous holder of the lock admitted.
_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended('admission ' || tenant_id, 0))
FROM (SELECT DISTINCT tenant_id FROM unnest(%b::uuid[]) AS t (tenant_id) ORDER BY tenant_id) t
"""

# Each job counts against the limit it was submitted with; how many jobs of a key are read depends on its first.
# IS NOT DISTINCT FROM can't use an index: found by its id, a job is only checked again, whatever the planner thinks.
_ADMIT = f"""
WITH pair AS (SELECT * FROM unnest(%(tenant_id)b::uuid[], %(key)b::text[]) AS p (tenant_id, key)),
room AS MATERIALIZED (
  SELECT t.tenant_id, CASE WHEN l.most_in_flight IS NULL THEN {MAX_AT_ONCE} ELSE l.most_in_flight - (
    SELECT count(*) FROM (
      SELECT FROM jobs WHERE tenant_id = t.tenant_id AND {_UNDER_WAY} LIMIT l.most_in_flight) f) END AS free
  FROM (SELECT DISTINCT tenant_id FROM pair) t LEFT JOIN tenant_limits l ON l.tenant_id = t.tenant_id),
candidate AS MATERIALIZED (
  SELECT j.id, p.tenant_id, j.priority
  FROM pair p
  CROSS JOIN LATERAL (
    SELECT coalesce(concurrency_limit, {MAX_AT_ONCE}) AS most FROM jobs
    WHERE parked = '{LIMIT}' AND tenant_id = p.tenant_id AND concurrency_key = p.key
    ORDER BY priority DESC, id LIMIT 1) first
  CROSS JOIN LATERAL (
    SELECT CASE WHEN p.key = '' THEN 0 ELSE (SELECT count(*) FROM (
      SELECT FROM jobs WHERE tenant_id = p.tenant_id AND concurrency_key = p.key AND {_UNDER_WAY}
      LIMIT first.most) f) END AS busy) f
  CROSS JOIN LATERAL (
    SELECT id, priority, coalesce(concurrency_limit, {MAX_AT_ONCE}) AS most,
      row_number() OVER (ORDER BY priority DESC, id) AS n
    FROM (
      SELECT id, priority, concurrency_limit FROM jobs
      WHERE parked = '{LIMIT}' AND tenant_id = p.tenant_id AND concurrency_key = p.key
      ORDER BY priority DESC, id LIMIT least(first.most - f.busy, {MAX_AT_ONCE})) w) j
  WHERE f.busy + j.n <= j.most),
ranked AS (
  SELECT id, tenant_id, row_number() OVER (PARTITION BY tenant_id ORDER BY priority DESC, id) AS n FROM candidate),
c AS (
  SELECT j.id FROM ranked r JOIN room USING (tenant_id) JOIN jobs j ON j.id = r.id
  WHERE r.n <= least(room.free, {MAX_AT_ONCE}) AND j.parked IS NOT DISTINCT FROM '{LIMIT}'
  ORDER BY j.id FOR UPDATE OF j SKIP LOCKED),
u AS (
  UPDATE jobs j SET parked = NULL, seq = j.seq + 1,
    wake_at = greatest(j.run_at, now() + make_interval(secs => %(ring_again_seconds)b::float8))
  FROM c WHERE j.id = c.id AND j.parked IS NOT DISTINCT FROM '{LIMIT}'
  RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority, j.seq),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, '{JobEvent.ADMITTED}', NULL FROM u)
SELECT id, tenant_id, kind, queue, priority FROM u
"""


class Capped(NamedTuple):
    """A tenant's concurrency key. The key is empty where only the tenant is capped."""

    tenant_id: UUID
    key: str


BEFORE_ALL = Capped(UUID(int=0), "")


async def keys_of(connection: Connection, job_ids: Sequence[UUID]) -> list[Capped]:
    """The keys whose jobs may be admitted now that these jobs ended or were submitted."""
    found = await connection.execute(_KEYS_OF, {"ids": list(job_ids)}, binary=True)
    return list(map(Capped._make, await found.fetchall()))


async def keys_after(connection: Connection, place: Capped) -> list[Capped]:
    """The next MAX_KEYS keys that have capped jobs waiting, in order; fewer at the end."""
    found = await connection.execute(_KEYS_AFTER, place._asdict(), binary=True)
    return list(map(Capped._make, await found.fetchall()))


async def admit(connection: Connection, keys: Sequence[Capped], *, ring_again_seconds: float) -> list[Unclaimed]:
    """Admits capped jobs, of each key the most urgent and then the oldest first, and returns them: they need a
    doorbell. Safe to repeat."""
    tenants = [one.tenant_id for one in keys]
    asked = {"tenant_id": tenants, "key": [one.key for one in keys], "ring_again_seconds": ring_again_seconds}
    async with connection.transaction():
        await connection.execute(_LOCK, (tenants,))
        found = await connection.execute(_ADMIT, asked, binary=True)
        return [Unclaimed(*row) for row in await found.fetchall()]
