"""Turns events into webhook deliveries: a webhook's position, its deliveries and their jobs change in one transaction.

So each event becomes exactly one delivery, whatever is killed when. Each webhook has its own position in its tenant's
feed, and advances only while few of its deliveries are in flight: for a slow receiver, events wait in the feed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.postgres.events import feed, stretches
from infrastructure.postgres.events.feed import EventRow
from infrastructure.postgres.jobs.retention import first_id_of
from infrastructure.postgres.jobs.submission import NewJob, store
from infrastructure.postgres.session import Connection
from schemas.event_patterns import matches_any
from schemas.jobs import TERMINAL
from schemas.problems import Problem
from schemas.webhooks import DeliverWebhook, DeliveryState

WINDOW = 64
"""Pending deliveries of one webhook in their first attempts."""
FIRST_ATTEMPTS = 3
"""A delivery that has failed more often doesn't count against WINDOW."""
MAX_PENDING = 1_000
MAX_WEBHOOKS = 100
"""Fed in one round."""
KEPT_DAYS = 30
"""How long the log keeps a delivery that has ended."""
LOST = Problem.of(
    "delivery-job-ended", "The job ended before the delivery did", 500, "It was cancelled or lost. Redeliver it."
)

_UNREAD = """
SELECT at FROM job_events e WHERE e.tenant_id = w.tenant_id AND e.xid >= pg_snapshot_xmin(w.seen::pg_snapshot)
  AND NOT pg_visible_in_snapshot(e.xid, w.seen::pg_snapshot) ORDER BY e.tenant_id, e.xid LIMIT 1
"""
_WITH_ROOM = f"""
FROM webhooks w CROSS JOIN LATERAL (
  SELECT count(*) AS pending, count(*) FILTER (WHERE attempts < {FIRST_ATTEMPTS}) AS fresh FROM webhook_deliveries d
  WHERE d.webhook_id = w.id AND d.state = '{DeliveryState.PENDING}') p
WHERE w.paused_at IS NULL AND p.fresh < {WINDOW} AND p.pending < {MAX_PENDING}
"""
_HUNGRY = f"""
SELECT w.id {_WITH_ROOM} AND (w.upto IS NOT NULL OR EXISTS ({_UNREAD}) OR EXISTS (
  SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = '{DeliveryState.WAITING}'))
ORDER BY w.fed_at LIMIT {MAX_WEBHOOKS}
"""
_TAKE = """
SELECT tenant_id, types, seen, upto, after_at, after_job_id, after_seq
FROM webhooks WHERE id = %s AND paused_at IS NULL FOR NO KEY UPDATE SKIP LOCKED
"""
_WAITING = f"""
SELECT id, event_job_id FROM webhook_deliveries WHERE webhook_id = %s AND state = '{DeliveryState.WAITING}'
ORDER BY webhook_id, id LIMIT {WINDOW} FOR UPDATE
"""
_GIVE_JOBS = f"""
UPDATE webhook_deliveries d SET state = '{DeliveryState.PENDING}', job_id = s.job_id
FROM unnest(%s::uuid[], %s::uuid[]) AS s (id, job_id) WHERE d.id = s.id
"""
_ADD = f"""
INSERT INTO webhook_deliveries (id, tenant_id, webhook_id, event_job_id, event_seq, type, state)
SELECT id, %s, %s, event_job_id, event_seq, type, '{DeliveryState.WAITING}'
FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::text[]) AS s (id, event_job_id, event_seq, type)
ON CONFLICT DO NOTHING
"""
_MOVE_ON = """
UPDATE webhooks SET seen = %s, upto = %s, after_at = %s, after_job_id = %s, after_seq = %s, fed_at = now() WHERE id = %s
"""
_FED = "UPDATE webhooks SET fed_at = now() WHERE id = %s"

_ENDED = ", ".join(f"'{state}'" for state in TERMINAL)
_MEND = f"""
UPDATE webhook_deliveries d SET state = '{DeliveryState.FAILED}', problem = coalesce(d.problem, %s::jsonb)
WHERE d.state = '{DeliveryState.PENDING}' AND NOT EXISTS (
  SELECT FROM jobs j WHERE j.id = d.job_id AND (j.state NOT IN ({_ENDED}) OR j.finished_at > now() - interval '10 s'))
"""
_FORGET = f"""
DELETE FROM webhook_deliveries WHERE id IN (
  SELECT id FROM webhook_deliveries WHERE id < %s AND state IN ('{DeliveryState.DELIVERED}', '{DeliveryState.FAILED}')
  ORDER BY id LIMIT 5000)
"""
_LAG = f"SELECT coalesce(max(extract(epoch FROM now() - ({_UNREAD}))), 0)::float8 {_WITH_ROOM}"


@dataclass(frozen=True, slots=True)
class Fed:
    """The result of one `feed_one`: jobs that need a doorbell. Not `resting` when there may be more at once."""

    jobs: Sequence[NewJob]
    resting: bool


NOTHING = Fed((), resting=True)


async def pending_webhooks(connection: Connection) -> list[UUID]:
    """Webhooks with unread events or waiting deliveries and room in their window, the longest waiting first."""
    return [webhook_id for (webhook_id,) in await (await connection.execute(_HUNGRY)).fetchall()]


async def feed_one(
    connection: Connection,
    webhook_id: UUID,
    *,
    job_of: Callable[[UUID, DeliverWebhook, UUID | None], NewJob],
    ring_again_seconds: float,
) -> Fed:
    """Creates the webhook's next deliveries and their jobs. Waiting deliveries go first: they are older. `job_of` makes
    a tenant's job, caused by another job. Does nothing while another dispatcher feeds the webhook."""
    async with connection.transaction():
        row = await (await connection.execute(_TAKE, (webhook_id,))).fetchone()
        if row is None:
            return NOTHING
        tenant_id, types, *stored = row
        await connection.execute(_FED, (webhook_id,))
        waiting, resting = await _waiting(connection, webhook_id), False
        if not waiting:
            news = await stretches.after(connection, tenant_id, feed.stored_position(*stored))
            resting = news.at_rest
            await _add(connection, tenant_id, webhook_id, await _wanted(connection, tenant_id, news.rows, types))
            await connection.execute(_MOVE_ON, (*feed.columns_of(news.position), webhook_id))
            waiting = await _waiting(connection, webhook_id)
        jobs = [job_of(tenant_id, DeliverWebhook(delivery_id=one), cause) for one, cause in waiting]
        if jobs:
            await connection.execute(_GIVE_JOBS, ([one for one, _ in waiting], [job.id for job in jobs]))
            await store(connection, jobs, ring_again_seconds=ring_again_seconds, idempotency_hours=1)
        return Fed(jobs, resting)


async def fail_orphans(connection: Connection) -> None:
    """Fails pending deliveries whose job ended without an outcome: it was cancelled, or is dead."""
    await connection.execute(_MEND, (LOST.model_dump_json(exclude_defaults=True),))


async def forget(connection: Connection) -> None:
    """Deletes ended deliveries older than KEPT_DAYS."""
    row = await (await connection.execute("SELECT now()")).fetchone()
    assert row is not None
    await connection.execute(_FORGET, (first_id_of(row[0] - timedelta(days=KEPT_DAYS)),))


async def lag_seconds(connection: Connection) -> float:
    """The age of the oldest event that some webhook has room for and hasn't been fed."""
    row = await (await connection.execute(_LAG)).fetchone()
    assert row is not None
    return float(row[0])


async def _waiting(connection: Connection, webhook_id: UUID) -> list[tuple[UUID, UUID | None]]:
    """The waiting deliveries as (delivery, the job whose event it is)."""
    return await (await connection.execute(_WAITING, (webhook_id,))).fetchall()


async def _wanted(
    connection: Connection, tenant_id: UUID, rows: Sequence[EventRow], types: Sequence[str]
) -> list[EventRow]:
    return await feed.without_deliveries(connection, tenant_id, [row for row in rows if matches_any(types, row.type)])


async def _add(connection: Connection, tenant_id: UUID, webhook_id: UUID, rows: Sequence[EventRow]) -> None:
    if rows:
        columns = [uuid7() for _ in rows], [row.job_id for row in rows], [row.seq for row in rows]
        await connection.execute(_ADD, (tenant_id, webhook_id, *columns, [row.type for row in rows]))
