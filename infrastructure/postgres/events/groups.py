"""Consumer groups: each event is leased to one member at a time, until one acknowledges it.

A group has a position in its tenant's feed. Taking events advances it and stores the events passed in one transaction,
so a crash at any point loses none; the group's row is locked meanwhile, so members take one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import dict_row

from infrastructure.postgres.events import feed, stretches
from infrastructure.postgres.events.feed import EventRow
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.quotas import GROUPS, check_room
from schemas.event_patterns import matches_any
from schemas.groups import Group

MAX_HELD = 2_000
"""A group with this many unacknowledged events reads no new ones."""
MAX_DELIVERIES = 20
"""An event delivered this often and never acknowledged is parked, as a dead letter."""
MAX_BYTES = 4_000_000
"""Of the events in one response, but always one: a hundred of the largest would be 25 MB."""
MAX_PAGES = 4
"""Feed pages read in one call: in a feed full of other event types, the next call reads on."""

# Counts only this group's own rows, which are few.
_COLUMNS = """name, types, created_at, h.held, h.leased, h.parked
FROM consumer_groups g CROSS JOIN LATERAL (
  SELECT count(*) AS held, count(*) FILTER (WHERE parked_at IS NULL AND leased_until > now()) AS leased,
    count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked
  FROM group_events e WHERE e.tenant_id = g.tenant_id AND e.group_name = g.name) h"""
_FIND = f"SELECT {_COLUMNS} WHERE tenant_id = %s AND name = %s"
_LIST = f"SELECT {_COLUMNS} WHERE tenant_id = %s ORDER BY tenant_id, name LIMIT %s"
_CHANGE = "UPDATE consumer_groups SET types = %(types)s::text[] WHERE tenant_id = %(tenant_id)s AND name = %(name)s"
_ADD = """
INSERT INTO consumer_groups (tenant_id, name, types) VALUES (%(tenant_id)s, %(name)s, %(types)s::text[])
ON CONFLICT (tenant_id, name) DO UPDATE SET types = excluded.types
"""
_REMOVE = "DELETE FROM consumer_groups WHERE tenant_id = %s AND name = %s"

_LOCK = """
SELECT types, seen, upto, after_at, after_job_id, after_seq FROM consumer_groups
WHERE tenant_id = %s AND name = %s FOR NO KEY UPDATE
"""
_MOVE_ON = """
UPDATE consumer_groups SET seen = %s, upto = %s, after_at = %s, after_job_id = %s, after_seq = %s
WHERE tenant_id = %s AND name = %s
"""
_HELD = "SELECT count(*) FROM group_events WHERE tenant_id = %s AND group_name = %s"
_KEEP = """
INSERT INTO group_events (tenant_id, group_name, job_id, seq, at)
SELECT %s, %s, job_id, seq, at FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[]) AS s (job_id, seq, at)
"""
# statement_timestamp(), since the transaction may have waited for the lock.
_PARK = f"""
UPDATE group_events SET parked_at = statement_timestamp() WHERE tenant_id = %s AND group_name = %s
  AND deliveries >= {MAX_DELIVERIES} AND parked_at IS NULL AND leased_until <= statement_timestamp()
"""
# As many free events as fit into the byte limit, and always one.
_LEASE = """
WITH free AS (
  SELECT at, job_id, seq FROM group_events g
  WHERE tenant_id = %(tenant_id)s AND group_name = %(name)s AND parked_at IS NULL
    AND (leased_until IS NULL OR leased_until <= statement_timestamp())
    AND NOT EXISTS (
      SELECT FROM group_events o WHERE o.tenant_id = g.tenant_id AND o.group_name = g.group_name AND o.job_id = g.job_id
        AND o.parked_at IS NULL AND o.leased_until > statement_timestamp() AND o.lease <> %(lease)s)
  ORDER BY at, job_id, seq LIMIT %(most)s),
found AS MATERIALIZED (
  SELECT f.at AS place, f.job_id, f.seq, e.type, e.at, e.data::text AS data
  FROM free f LEFT JOIN job_events e ON e.job_id = f.job_id AND e.seq = f.seq AND e.tenant_id = %(tenant_id)s),
given AS (
  SELECT *, coalesce(sum(octet_length(data)) OVER (
    ORDER BY place, job_id, seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before FROM found),
u AS (
  UPDATE group_events g SET lease = %(lease)s, deliveries = deliveries + 1,
    leased_until = statement_timestamp() + make_interval(secs => %(lease_seconds)s)
  FROM given WHERE g.tenant_id = %(tenant_id)s AND g.group_name = %(name)s AND g.job_id = given.job_id
    AND g.seq = given.seq AND given.bytes_before < %(most_bytes)s
  RETURNING g.job_id, g.seq, given.type, given.at, given.data, g.deliveries)
SELECT job_id, seq, type, at, data, deliveries FROM u ORDER BY at, job_id, seq
"""
_ACKNOWLEDGE = """
DELETE FROM group_events g USING unnest(%s::uuid[], %s::int[], %s::uuid[]) AS s (job_id, seq, lease)
WHERE g.tenant_id = %s AND g.group_name = %s AND g.job_id = s.job_id AND g.seq = s.seq AND g.lease = s.lease
"""
_PARKED = """
WITH found AS MATERIALIZED (
  SELECT g.at AS place, e.job_id, e.seq, e.type, e.at, e.data::text AS data, g.deliveries, g.lease
  FROM group_events g JOIN job_events e ON e.job_id = g.job_id AND e.seq = g.seq
  WHERE g.tenant_id = %(tenant_id)s AND g.group_name = %(name)s AND g.parked_at IS NOT NULL
    AND e.tenant_id = %(tenant_id)s ORDER BY g.at, g.job_id, g.seq LIMIT %(limit)s),
given AS (
  SELECT *, coalesce(sum(octet_length(data)) OVER (
    ORDER BY place, job_id, seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before FROM found)
SELECT job_id, seq, type, at, data, deliveries, lease FROM given WHERE bytes_before < %(most_bytes)s
ORDER BY place, job_id, seq
"""
_RELEASE = """
UPDATE group_events SET parked_at = NULL, lease = NULL, leased_until = NULL, deliveries = 0
WHERE tenant_id = %s AND group_name = %s AND parked_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Held:
    """An event that is leased to a member, or was last."""

    row: EventRow
    lease: UUID
    deliveries: int

    @property
    def receipt(self) -> str:
        return f"{self.row.job_id}:{self.row.seq}:{self.lease}"


@dataclass(frozen=True, slots=True)
class Taken:
    events: tuple[Held, ...]
    types: tuple[str, ...]
    """The group's event types: only these need to wake a member that waits."""
    at_end: bool
    """Whether the group has read its whole feed, or holds too many events to read on."""


async def find(connection: Connection, tenant_id: UUID, name: str) -> Group | None:
    """The group as it stands; None when the tenant has no such group."""
    found = await _groups(connection, _FIND, (tenant_id, name))
    return found[0] if found else None


async def listed(connection: Connection, tenant_id: UUID, *, limit: int) -> list[Group]:
    return await _groups(connection, _LIST, (tenant_id, limit))


async def put(connection: Connection, tenant_id: UUID, name: str, types: Sequence[str]) -> None:
    """Creates the group, which gets events from now on, or changes an existing one's types and keeps its position.
    Raises QuotaExceeded when the tenant has too many. Safe to repeat. Call it in a transaction."""
    row = {"tenant_id": tenant_id, "name": name, "types": list(types)}
    if (await connection.execute(_CHANGE, row)).rowcount:
        return
    await check_room(connection, GROUPS, tenant_id)
    await connection.execute(_ADD, row)


async def remove(connection: Connection, tenant_id: UUID, name: str) -> bool:
    """Deletes the group and the events it holds. False when there was none."""
    return (await connection.execute(_REMOVE, (tenant_id, name))).rowcount > 0


async def take(connection: Connection, tenant_id: UUID, name: str, *, most: int, lease_seconds: float) -> Taken | None:
    """Leases up to `most` events to one member for `lease_seconds`; None when the tenant has no such group.

    Events whose lease expired come first. A job's events come in order, and never while another member has one of the
    same job. Runs in the caller's transaction.
    """
    group = tenant_id, name
    row = await (await connection.execute(_LOCK, group)).fetchone()
    if row is None:
        return None
    types, *stored = row
    wanted = {"tenant_id": tenant_id, "name": name, "lease": uuid4(), "lease_seconds": lease_seconds}
    await connection.execute(_PARK, group)
    events = await _lease(connection, {**wanted, "most": most, "most_bytes": MAX_BYTES})
    position, at_end = feed.stored_position(*stored), False
    for _ in range(MAX_PAGES):
        if at_end or len(events) >= most or _bytes_of(events) >= MAX_BYTES or await _is_full(connection, group):
            break
        news = await stretches.after(connection, tenant_id, position)
        at_end = news.at_rest
        if news.rows or not at_end or position.upto is not None:
            position = news.position
            await connection.execute(_MOVE_ON, (*feed.columns_of(position), *group))
        if await _keep(connection, group, news.rows, types):
            room = {"most": most - len(events), "most_bytes": MAX_BYTES - _bytes_of(events)}
            events += await _lease(connection, {**wanted, **room})
    return Taken(tuple(events), tuple(types), at_end or await _is_full(connection, group))


async def acknowledge(
    connection: Connection, tenant_id: UUID, name: str, receipts: Sequence[tuple[UUID, int, UUID]]
) -> int:
    """Acknowledges events by (job, seq, lease), and returns how many. Safe to repeat."""
    columns = [list(column) for column in zip(*receipts, strict=True)]
    return (await connection.execute(_ACKNOWLEDGE, (*columns, tenant_id, name))).rowcount


async def parked(connection: Connection, tenant_id: UUID, name: str, *, limit: int) -> list[Held]:
    """The parked events, the oldest first, as many as fit into MAX_BYTES."""
    wanted = {"tenant_id": tenant_id, "name": name, "limit": limit, "most_bytes": MAX_BYTES}
    found = await connection.execute(_PARKED, wanted)
    return [Held(EventRow(tenant_id, *row[:5]), row[6], row[5]) for row in await found.fetchall()]


async def release(connection: Connection, tenant_id: UUID, name: str) -> int:
    """Makes parked events deliverable again with a delivery count of 0, and returns how many."""
    return (await connection.execute(_RELEASE, (tenant_id, name))).rowcount


async def _lease(connection: Connection, wanted: dict[str, Any]) -> list[Held]:
    rows = await (await connection.execute(_LEASE, wanted)).fetchall()
    # Events that retention has deleted can't be delivered: they are acknowledged here.
    if deleted := [(row[0], row[1], wanted["lease"]) for row in rows if row[2] is None]:
        await acknowledge(connection, wanted["tenant_id"], wanted["name"], deleted)
    kept = [row for row in rows if row[2] is not None]
    return [Held(EventRow(wanted["tenant_id"], *row[:5]), wanted["lease"], row[5]) for row in kept]


def _bytes_of(events: Sequence[Held]) -> int:
    return sum(len(held.row.data or "") for held in events)


async def _is_full(connection: Connection, group: tuple[UUID, str]) -> bool:
    row = await (await connection.execute(_HELD, group)).fetchone()
    return row is not None and row[0] >= MAX_HELD


async def _keep(
    connection: Connection, group: tuple[UUID, str], rows: Sequence[EventRow], types: Sequence[str]
) -> bool:
    """Stores the rows that match the group's types; False when there were none."""
    matching = [row for row in rows if matches_any(types, row.type)]
    kept = await feed.without_deliveries(connection, group[0], matching)
    if kept:
        columns: tuple[list[UUID], list[int], list[datetime]] = (
            [row.job_id for row in kept],
            [row.seq for row in kept],
            [row.at for row in kept],
        )
        await connection.execute(_KEEP, (*group, *columns))
    return bool(kept)


async def _groups(connection: Connection, statement: str, parameters: Sequence[object]) -> list[Group]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, parameters)
        return [Group.model_validate(row) for row in await cursor.fetchall()]
