"""Pages through a tenant's feed for a reader that is behind: each row once.

A page ends after whole transactions, at a synthetic snapshot: what the reader has seen, plus all visible transactions
below some id. Such a snapshot may never have existed; that doesn't matter as long as no job's events come out of order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from infrastructure.postgres.events import snapshots
from infrastructure.postgres.events.feed import FITS, ON_DISK, PAGE, EventRow, News, Position
from infrastructure.postgres.session import Connection

STRETCH = 4_000
"""When a page has no place to end, such as within one transaction, one is searched for among this many rows."""

# In index order, so that a reader far behind reads each row once. The transaction of the first row that doesn't fit is
# where the page has to end. `b` is the job's previous event; its seq is computed before the join, since row-level
# security allows only leakproof expressions in an index condition.
_STRETCH = f"""
WITH t AS MATERIALIZED (
  SELECT %(seen)s::pg_snapshot AS seen, coalesce(%(upto)s::text::pg_snapshot, pg_current_snapshot()) AS upto,
    CASE WHEN %(upto)s::text IS NULL THEN {ON_DISK} END AS on_disk)
SELECT t.upto::text, e.fits, e.xid::text::bigint, b.xid::text::bigint,
  e.job_id, e.seq, e.type, e.at, CASE WHEN e.fits THEN e.data::text END
FROM t LEFT JOIN LATERAL (
  SELECT job_id, seq, seq - 1 AS one_less, type, at, data, xid, {FITS}
  FROM job_events
  WHERE tenant_id = %(tenant_id)s AND xid >= pg_snapshot_xmin(t.seen) AND xid < pg_snapshot_xmax(t.upto)
    AND NOT pg_visible_in_snapshot(xid, t.seen) AND pg_visible_in_snapshot(xid, t.upto)
  WINDOW w AS (ORDER BY xid ROWS UNBOUNDED PRECEDING)
  LIMIT %(look)s) e ON true
LEFT JOIN LATERAL (SELECT xid FROM job_events WHERE job_id = e.job_id AND seq = e.one_less) b ON true
"""

# Sorts the whole stretch for each page, so it is used only for stretches that can't be cut.
_SORTED = f"""
SELECT job_id, seq, type, at, CASE WHEN fits THEN data::text END, fits FROM (
  SELECT *, {FITS}
  FROM (
    SELECT job_id, seq, type, at, data FROM job_events
    WHERE tenant_id = %(tenant_id)s
      AND xid >= pg_snapshot_xmin(%(seen)s::pg_snapshot) AND xid < pg_snapshot_xmax(%(upto)s::pg_snapshot)
      AND NOT pg_visible_in_snapshot(xid, %(seen)s::pg_snapshot) AND pg_visible_in_snapshot(xid, %(upto)s::pg_snapshot)
      AND (%(seq)s::int IS NULL OR (at, job_id, seq) > (%(at)s::timestamptz, %(job_id)s::uuid, %(seq)s::int))
    ORDER BY at, job_id, seq LIMIT %(limit)s + 1) e
  WINDOW w AS (ORDER BY at, job_id, seq ROWS UNBOUNDED PRECEDING)) p
ORDER BY at, job_id, seq
"""


async def stretch(
    connection: Connection, tenant_id: UUID, seen: str, upto: str | None = None, *, limit: int = PAGE
) -> News:
    """The next page of rows that `seen` doesn't show, up to what `upto` shows, or up to now.

    Up to `limit` rows in whole transactions, with a position at rest after them; only where there is no place to stop
    is the position within the stretch. The result is the same for every reader at `seen`. `at_rest` when these are the
    last rows before `upto`.
    """
    found = await _look(connection, tenant_id, seen, upto, limit=limit, look=limit + 1)
    if found.beyond is None:
        return News(_in_order(row for _, row in found.rows), seen, found.upto, Position(found.upto), at_rest=True)
    cut = found.cut(seen)
    if cut is not None:
        end = _cut_off(seen, found.upto, cut)
        return News(_in_order(row for xid, row in found.rows if xid < cut), seen, end, Position(end))
    further = await _look(connection, tenant_id, seen, found.upto, limit=0, look=STRETCH)
    cut = further.cut(seen)
    end = found.upto if cut is None else _cut_off(seen, found.upto, cut)
    return await within_stretch(connection, tenant_id, Position(seen, end), limit=limit)


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows in the order of their transaction ids."""

    rows: tuple[tuple[int, EventRow], ...]
    before: tuple[int | None, ...]
    """For each row the transaction of its job's previous event."""
    beyond: int | None
    """Transactions from this id on may have rows that weren't read."""
    upto: str

    def cut(self, seen: str) -> int | None:
        """The transaction id at which a page may end; None when there is none."""
        start = snapshots.parse(seen)
        beyond = snapshots.parse(self.upto).end if self.beyond is None else self.beyond
        unseen = [
            (xid, None if before is None or start.shows(before) else before)
            for (xid, _), before in zip(self.rows, self.before, strict=True)
            if xid < beyond
        ]
        return snapshots.highest_cut(unseen, beyond)


async def _look(
    connection: Connection, tenant_id: UUID, seen: str, upto: str | None, *, limit: int, look: int
) -> _Found:
    asked = {"tenant_id": tenant_id, "seen": seen, "upto": upto, "limit": limit, "look": look}
    found = await (await connection.execute(_STRETCH, asked)).fetchall()
    listed = sorted((row for row in found if row[1] is not None), key=lambda row: int(row[2]))
    full = len(listed) == look
    unread = next((xid for _, fits, xid, *_ in listed if not fits), None) if limit else listed[-1][2] if full else None
    return _Found(
        tuple((xid, EventRow(tenant_id, *row)) for _, _, xid, _, *row in listed),
        tuple(before for _, _, _, before, *_ in listed),
        unread,
        found[0][0],
    )


def _cut_off(seen: str, upto: str, cut: int) -> str:
    return snapshots.advanced(snapshots.parse(seen), snapshots.parse(upto), cut).text


async def within_stretch(connection: Connection, tenant_id: UUID, position: Position, *, limit: int = PAGE) -> News:
    """The next page after a position within a stretch, up to the stretch's end."""
    assert position.upto is not None
    place = position.after
    asked = {
        "tenant_id": tenant_id,
        "seen": position.seen,
        "upto": position.upto,
        "at": None if place is None else place.at,
        "job_id": None if place is None else place.job_id,
        "seq": None if place is None else place.seq,
        "limit": limit,
    }
    found = await (await connection.execute(_SORTED, asked)).fetchall()
    rows = tuple(EventRow(tenant_id, *row) for *row, fits in found if fits)
    whole = News(rows, position.seen, position.upto, Position(position.upto))
    return whole if len(rows) == len(found) else replace(whole, position=whole.position_of(rows[-1]))


def _in_order(rows: Iterable[EventRow]) -> tuple[EventRow, ...]:
    return tuple(sorted(rows, key=lambda row: (row.at, row.job_id, row.seq)))


async def after(connection: Connection, tenant_id: UUID, position: Position) -> News:
    """The next page after a stored position, up to now.

    The snapshot is taken here, in a separate statement: a caller that holds the position's row locked gets one that is
    newer than the position, so a reader never goes back.
    """
    row = await (await connection.execute("SELECT pg_current_snapshot()::text")).fetchone()
    assert row is not None
    now: str = row[0]
    if position.upto is None:
        found = await stretch(connection, tenant_id, position.seen, now)
    else:
        found = await within_stretch(connection, tenant_id, position)
    return replace(found, at_rest=found.position == Position(now))
