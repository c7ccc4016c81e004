"""Schedules: CRUD for their owners, and the due ones for the dispatcher."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import dict_row

from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import quotas
from schemas.bounds import check_scheduled
from schemas.jobs import TERMINAL
from schemas.schedules import CatchUp, Overlap, Schedule, ScheduleDefinition, ScheduleSummary

MAX_AT_ONCE = 100
LOOK_AGAIN_SECONDS = 2.0
"""Between two checks of a schedule whose next job waits for the one before it."""

_SUMMARY = """id, name, cron, timezone, kind, priority, deadline_seconds, concurrency_key, concurrency_limit, overlap, catch_up,
  catch_up_most, catch_up_window_seconds, created_at, updated_at, paused_at, paused_because, next_at, held, last_at, last_job_id"""
_WHOLE = f"{_SUMMARY}, command"
_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))

_ADD = f"""
INSERT INTO schedules (id, tenant_id, name, cron, timezone, kind, command, priority, deadline_seconds,
  concurrency_key, concurrency_limit, overlap, catch_up, catch_up_most, catch_up_window_seconds, next_at, look_at)
VALUES (%(id)s, %(tenant_id)s, %(name)s, %(cron)s, %(timezone)s, %(kind)s, %(command)s::jsonb, %(priority)s,
  %(deadline_seconds)s, %(concurrency_key)s, %(concurrency_limit)s, %(overlap)s, %(catch_up)s, %(catch_up_most)s, %(catch_up_window_seconds)s, %(next_at)s,
  %(next_at)s)
RETURNING {_WHOLE}
"""
_REPLACE = f"""
UPDATE schedules SET name = %(name)s, cron = %(cron)s, timezone = %(timezone)s, kind = %(kind)s, command = %(command)s::jsonb,
  priority = %(priority)s, deadline_seconds = %(deadline_seconds)s, concurrency_key = %(concurrency_key)s,
  concurrency_limit = %(concurrency_limit)s, overlap = %(overlap)s, catch_up = %(catch_up)s, catch_up_most = %(catch_up_most)s, catch_up_window_seconds = %(catch_up_window_seconds)s, held = '{{}}',
  updated_at = now(), next_at = CASE WHEN paused_at IS NULL THEN %(next_at)s::timestamptz END,
  look_at = CASE WHEN paused_at IS NULL THEN %(next_at)s::timestamptz END
WHERE tenant_id = %(tenant_id)s AND id = %(id)s AND NOT EXISTS (
  SELECT 1 FROM schedules o WHERE o.tenant_id = %(tenant_id)s AND o.name = %(name)s AND o.id <> %(id)s)
RETURNING {_WHOLE}
"""
_PAUSE = f"""
UPDATE schedules SET paused_at = coalesce(paused_at, now()), look_at = NULL, next_at = NULL, held = '{{}}'
WHERE tenant_id = %s AND id = %s RETURNING {_WHOLE}
"""
_RESUME = f"""
UPDATE schedules SET look_at = CASE WHEN paused_at IS NULL THEN look_at ELSE %(next_at)s::timestamptz END,
  next_at = CASE WHEN paused_at IS NULL THEN next_at ELSE %(next_at)s::timestamptz END,
  paused_at = NULL, paused_because = NULL
WHERE tenant_id = %(tenant_id)s AND id = %(id)s RETURNING {_WHOLE}
"""
_ONE = f"SELECT {_WHOLE} FROM schedules WHERE tenant_id = %s AND id = %s"
_NAMED = f"SELECT {_WHOLE} FROM schedules WHERE tenant_id = %s AND name = %s"
_LIST = f"""
SELECT {_SUMMARY} FROM schedules WHERE tenant_id = %s AND id < %s ORDER BY tenant_id DESC, id DESC LIMIT %s
"""

_DUE = f"""
SELECT {", ".join(f"s.{name.strip()}" for name in _SUMMARY.split(","))}, s.command::text, s.tenant_id, now() AS now,
  EXISTS (SELECT 1 FROM jobs j WHERE j.id = s.last_job_id AND j.state NOT IN ({_ENDED})) AS busy
FROM schedules s WHERE s.look_at <= now() ORDER BY s.look_at LIMIT {MAX_AT_ONCE} FOR UPDATE OF s SKIP LOCKED
"""
_MOVE_ON = """
UPDATE schedules SET next_at = %(next_at)s, held = %(held)s::timestamptz[],
  look_at = CASE WHEN cardinality(%(held)s::timestamptz[]) > 0
    THEN least(%(next_at)s, now() + make_interval(secs => %(look_again_seconds)s)) ELSE %(next_at)s::timestamptz END,
  last_at = coalesce(%(fired)s, last_at), last_job_id = coalesce(%(job_id)s, last_job_id)
WHERE id = %(id)s
"""
_SET_ASIDE = """
UPDATE schedules SET paused_at = now(), paused_because = %s, look_at = NULL, next_at = NULL, held = '{}' WHERE id = %s
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule that is due. Its row is locked until the transaction ends."""

    schedule: ScheduleSummary
    command: str
    """JSON text."""
    tenant_id: UUID
    now: datetime
    busy: bool
    """Whether the job of its last slot is still unfinished."""


@dataclass(frozen=True, slots=True)
class MovedOn:
    """A due schedule's new state."""

    schedule_id: UUID
    next_at: datetime | None
    held: tuple[datetime, ...]
    fired: datetime | None
    job_id: UUID | None


class NotKept(StrEnum):
    """Why a schedule wasn't stored."""

    NAME_TAKEN = "name taken"
    UNKNOWN = "unknown"


async def add(
    connection: Connection,
    tenant_id: UUID,
    schedule_id: UUID,
    wanted: ScheduleDefinition,
    *,
    next_at: datetime | None,
) -> Schedule | NotKept:
    """Adds the schedule; returns the existing one of the same name and definition, so repeating is safe. Raises
    QuotaExceeded when the tenant has too many. Call it in a transaction."""
    row = _stored(tenant_id, schedule_id, wanted, next_at)
    usage = await quotas.usage_of(connection, quotas.SCHEDULES, tenant_id)
    before = await _whole(connection, _NAMED, (tenant_id, wanted.name))
    if before is not None:
        return before if before.definition() == wanted else NotKept.NAME_TAKEN
    usage.check()
    stored = await _whole(connection, _ADD, row)
    assert stored is not None, "the quota's lock keeps others from adding one"
    return stored


async def replace(
    connection: Connection, tenant_id: UUID, schedule_id: UUID, wanted: ScheduleDefinition, *, next_at: datetime | None
) -> Schedule | NotKept:
    """Replaces the schedule's definition. Slots it held are dropped; a paused one stays paused. Safe to repeat. Call it
    in a transaction."""
    await quotas.lock(connection, quotas.SCHEDULES, tenant_id)
    stored = await _whole(connection, _REPLACE, _stored(tenant_id, schedule_id, wanted, next_at))
    if stored is not None:
        return stored
    return NotKept.UNKNOWN if await one(connection, tenant_id, schedule_id) is None else NotKept.NAME_TAKEN


async def remove(connection: Connection, tenant_id: UUID, schedule_id: UUID) -> bool:
    """Removes the schedule, and returns whether it existed. Jobs it has submitted go on."""
    found = await connection.execute("DELETE FROM schedules WHERE tenant_id = %s AND id = %s", (tenant_id, schedule_id))
    return found.rowcount > 0


async def pause(connection: Connection, tenant_id: UUID, schedule_id: UUID) -> Schedule | None:
    return await _whole(connection, _PAUSE, (tenant_id, schedule_id))


async def resume(
    connection: Connection, tenant_id: UUID, schedule_id: UUID, *, next_at: datetime | None
) -> Schedule | None:
    """Resumes the schedule; no effect on one that isn't paused. Slots missed meanwhile aren't caught up."""
    return await _whole(connection, _RESUME, {"tenant_id": tenant_id, "id": schedule_id, "next_at": next_at})


async def one(connection: Connection, tenant_id: UUID, schedule_id: UUID) -> Schedule | None:
    return await _whole(connection, _ONE, (tenant_id, schedule_id))


async def listed(connection: Connection, tenant_id: UUID, *, before: UUID, limit: int) -> list[ScheduleSummary]:
    """Up to `limit` schedules, the newest first, all older than `before`."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_LIST, (tenant_id, before, limit))
        return [ScheduleSummary.model_validate(row) for row in await cursor.fetchall()]


async def due(connection: Connection) -> list[Due]:
    """Locks and returns up to MAX_AT_ONCE due schedules of any tenant. Call `move_on` in the same transaction."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_DUE)
        return [_due(row) for row in await cursor.fetchall()]


async def move_on(connection: Connection, moves: Sequence[MovedOn]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            _MOVE_ON,
            [
                {
                    "id": move.schedule_id,
                    "next_at": move.next_at,
                    "held": list(move.held),
                    "fired": move.fired,
                    "job_id": move.job_id,
                    "look_again_seconds": LOOK_AGAIN_SECONDS,
                }
                for move in moves
            ],
        )


async def set_aside(connection: Connection, schedule_id: UUID, because: str) -> None:
    """Pauses a schedule that can't fire as it is."""
    await connection.execute(_SET_ASIDE, (because, schedule_id))


def _due(row: dict[str, Any]) -> Due:
    command, tenant_id, now, busy = row.pop("command"), row.pop("tenant_id"), row.pop("now"), row.pop("busy")
    # Not validated again: a rule that became stricter since must not keep other schedules from firing.
    known = {"overlap": Overlap(row["overlap"]), "catch_up": CatchUp(row["catch_up"]), "held": tuple(row["held"])}
    return Due(ScheduleSummary.model_construct(**{**row, **known}), command, tenant_id, now, busy)


async def _whole(connection: Connection, statement: str, values: Any) -> Schedule | None:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, values)
        row = await cursor.fetchone()
    return None if row is None else Schedule.model_validate(row)


def _stored(
    tenant_id: UUID, schedule_id: UUID, wanted: ScheduleDefinition, next_at: datetime | None
) -> dict[str, object]:
    command = orjson.dumps(wanted.command).decode()
    check_scheduled(command)
    return {
        **wanted.model_dump(),
        "command": command,
        "tenant_id": tenant_id,
        "id": schedule_id,
        "next_at": next_at,
    }
