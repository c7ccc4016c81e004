"""The events of a tenant or a job, in order, from any position on, each exactly once.

Rows have no global number, since assigning one would serialize all writers. Instead each row has its transaction's id,
and a position holds PostgreSQL snapshots: what was visible in `seen` has been delivered; what became visible between
`seen` and `upto` is being delivered in the order of `Place`. A long transaction blocks no reader; its rows come when it
commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from events.webhooks import WebhookPaused
from infrastructure.postgres.session import Connection
from schemas.jobs import TERMINAL, JobState
from schemas.webhooks import DeliverWebhook

PAGE = 250
"""Rows in one page for a webhook, a group or a job's reader."""
PAGE_BYTES = 1_000_000
"""Stored, compressed bytes in one page: it has fewer rows then, but always one."""
MAX_NEWS = 1_000
"""Rows of one tenant that the hub reads at a time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A row's sort key among those that became visible between two snapshots. A job's rows sort by seq."""

    at: datetime
    job_id: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class Position:
    """A reader's position. The snapshots are in PostgreSQL's text form, `xmin:xmax:xip,…`."""

    seen: str
    upto: str | None = None
    """None at rest: everything up to `seen` was read, and the next stretch hasn't begun."""
    after: Place | None = None
    """None at the start of a stretch."""


@dataclass(frozen=True, slots=True)
class EventRow:
    tenant_id: UUID
    job_id: UUID
    seq: int
    type: str
    at: datetime
    data: str | None
    """JSON text."""


@dataclass(frozen=True, slots=True)
class News:
    """One tenant's next events after a position: rows that became visible between `seen` and `upto`, and the position
    after them."""

    rows: tuple[EventRow, ...]
    seen: str
    upto: str
    position: Position
    at_rest: bool = False
    """Whether these were the last rows before the snapshot; only `stretches` sets it."""

    def position_of(self, row: EventRow) -> Position:
        """The position right after this row."""
        return Position(self.seen, self.upto, Place(row.at, row.job_id, row.seq))


@dataclass(frozen=True, slots=True)
class JobRows:
    """A job's events after some seq."""

    rows: tuple[EventRow, ...]
    more: bool
    """Whether there may be more after them."""
    over: bool
    """Whether the job has ended and these are its last."""


# Delivered events must survive a power cut, but claims commit asynchronously: PostgreSQL could lose them and reuse
# their transaction ids, whose new rows the reader would skip as seen. Emitting an empty message in the reading
# statement, after its snapshot, makes its commit wait for the flush; it costs nothing when everything is flushed.
ON_DISK = """(SELECT CASE WHEN pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()
  THEN pg_logical_emit_message(true, 'bucatini', '') END)"""

# The snapshot is taken in the statement that reads the rows, so "visible in upto" is exact.
_NEWS = f"""
WITH t AS MATERIALIZED (
  SELECT g.tenant_id, coalesce(g.seen::pg_snapshot, now.s) AS seen, coalesce(g.upto::pg_snapshot, now.s) AS upto,
    g.at, g.job_id, g.seq, CASE WHEN g.upto IS NULL THEN {ON_DISK} END AS on_disk
  FROM (SELECT pg_current_snapshot() AS s) now,
    unnest(%(tenant_id)s::uuid[], %(seen)s::text[], %(upto)s::text[], %(at)s::timestamptz[], %(job_id)s::uuid[],
      %(seq)s::int[]) AS g (tenant_id, seen, upto, at, job_id, seq))
SELECT t.tenant_id, t.seen::text, t.upto::text, e.job_id, e.seq, e.type, e.at, e.data::text
FROM t LEFT JOIN LATERAL (
  SELECT job_id, seq, type, at, data FROM job_events
  WHERE tenant_id = t.tenant_id AND xid >= pg_snapshot_xmin(t.seen) AND xid < pg_snapshot_xmax(t.upto)
    AND NOT pg_visible_in_snapshot(xid, t.seen) AND pg_visible_in_snapshot(xid, t.upto)
    AND (t.seq IS NULL OR (at, job_id, seq) > (t.at, t.job_id, t.seq))
  ORDER BY at, job_id, seq LIMIT %(limit)s) e ON true
ORDER BY t.tenant_id, e.at, e.job_id, e.seq
"""

# False for the row after the page, which is read only to see that it exists.
FITS = f"""row_number() OVER w <= %(limit)s
    AND sum(coalesce(pg_column_size(data), 0)) OVER w - coalesce(pg_column_size(data), 0) < {PAGE_BYTES} AS fits"""

_DELIVERERS = f"SELECT id FROM jobs WHERE tenant_id = %s AND id = ANY(%s) AND kind = '{DeliverWebhook.kind}'"

_JOB_ROWS = f"""
SELECT j.state, e.fits, e.seq, e.type, e.at, CASE WHEN e.fits THEN e.data::text END, {ON_DISK}
FROM jobs j LEFT JOIN LATERAL (
  SELECT *, {FITS} FROM (
    SELECT seq, type, at, data FROM job_events WHERE tenant_id = %(tenant_id)s AND job_id = j.id AND seq > %(after)s
    ORDER BY job_id, seq LIMIT %(limit)s + 1) p
  WINDOW w AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)) e ON true
WHERE j.tenant_id = %(tenant_id)s AND j.id = %(job_id)s ORDER BY e.seq
"""


async def news(
    connection: Connection, positions: Mapping[UUID, Position | None], *, limit: int = MAX_NEWS
) -> dict[UUID, News]:
    """Up to `limit` rows of each tenant after its position; None starts now.

    The returned position is at rest when there are no more. Runs as the system's role for several tenants, as the
    tenant's for its own.
    """
    places = [None if position is None else position.after for position in positions.values()]
    asked = {
        "tenant_id": list(positions),
        "seen": [None if position is None else position.seen for position in positions.values()],
        "upto": [None if position is None else position.upto for position in positions.values()],
        "at": [None if place is None else place.at for place in places],
        "job_id": [None if place is None else place.job_id for place in places],
        "seq": [None if place is None else place.seq for place in places],
        "limit": limit,
    }
    found = await connection.execute(_NEWS, asked)
    rows: dict[UUID, list[EventRow]] = {tenant_id: [] for tenant_id in positions}
    spans: dict[UUID, tuple[str, str]] = {}
    for tenant_id, seen, upto, job_id, seq, kind, at, data in await found.fetchall():
        spans[tenant_id] = (seen, upto)
        if job_id is not None:
            rows[tenant_id].append(EventRow(tenant_id, job_id, seq, kind, at, data))
    return {tenant_id: _news(rows[tenant_id], *span, limit=limit) for tenant_id, span in spans.items()}


def _news(rows: Sequence[EventRow], seen: str, upto: str, *, limit: int) -> News:
    rested = News(tuple(rows), seen, upto, Position(upto))
    return rested if len(rows) < limit else replace(rested, position=rested.position_of(rows[-1]))


def stored_position(seen: str, upto: str | None, at: datetime | None, job_id: UUID | None, seq: int | None) -> Position:
    """The position from the five columns of `columns_of`."""
    if upto is None or at is None or job_id is None or seq is None:
        return Position(seen)
    return Position(seen, upto, Place(at, job_id, seq))


def columns_of(position: Position) -> tuple[str, str | None, datetime | None, UUID | None, int | None]:
    place = position.after
    if place is None:
        return (position.seen, position.upto, None, None, None)
    return (position.seen, position.upto, place.at, place.job_id, place.seq)


async def without_deliveries(connection: Connection, tenant_id: UUID, rows: Sequence[EventRow]) -> list[EventRow]:
    """Drops the rows of jobs that deliver webhooks, whose delivery would cause more deliveries without end. Keeps that
    a webhook was paused, since nothing is delivered to that one."""
    if not rows:
        return []
    found = await connection.execute(_DELIVERERS, (tenant_id, list({row.job_id for row in rows})))
    deliverers = {job_id for (job_id,) in await found.fetchall()}
    return [row for row in rows if row.type == WebhookPaused.type or row.job_id not in deliverers]


async def job_rows(
    connection: Connection, tenant_id: UUID, job_id: UUID, *, after: int, limit: int = PAGE
) -> JobRows | None:
    """Up to `limit` events of the job with a greater seq, in order; None when the tenant has no such job."""
    wanted = {"tenant_id": tenant_id, "job_id": job_id, "after": after, "limit": limit}
    found = await (await connection.execute(_JOB_ROWS, wanted)).fetchall()
    if not found:
        return None
    rows = tuple(EventRow(tenant_id, job_id, *row[2:-1]) for row in found if row[1])
    more = found[-1][1] is False
    return JobRows(rows, more, over=not more and JobState(found[0][0]) in TERMINAL)
