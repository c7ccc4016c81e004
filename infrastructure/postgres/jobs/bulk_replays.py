"""Bulk replays: queues many failed jobs again, in batches, each exactly once. A row holds the filter and the cursor."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from events.jobs import JobEvent
from infrastructure.postgres.jobs.failures import LAST_RUN_FAILED
from infrastructure.postgres.jobs.replay import ANEW, ENDED, Request
from infrastructure.postgres.jobs.sweep import Unclaimed
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.quotas import OPEN_REPLAYS, usage_of
from schemas.failures import FailedState, Replay, ReplayFilter, ReplayState
from schemas.problems import PROBLEM_BASE

AT_ONCE = 500
"""Jobs that one transaction replays."""
MAX_LOOKED_AT = 10_000
"""Failures that one transaction reads to find matching ones."""
KEPT_DAYS = 30

_FAILED = ", ".join(f"'{state.value}'" for state in FailedState)

_MATCHES = """(%(state)s::text IS NULL OR j.state = %(state)s) AND (%(kind)s::text IS NULL OR j.kind = %(kind)s)
    AND (%(queue)s::text IS NULL OR j.queue = %(queue)s)
    AND (%(problem)s::text IS NULL OR j.problem ->> 'type' = %(problem)s)
    AND NOT j.kind = ANY(%(except_kinds)s::text[])"""

# Walks the index of failures in its order, from the cursor: only failed jobs are read.
_WALK = f"""
  SELECT id, fingerprint, failed_at FROM jobs
  WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED}
    AND (fingerprint, failed_at, id) > (%(after_fingerprint)s, %(after_failed_at)s, %(after_id)s)
    AND fingerprint >= coalesce(%(fingerprint)s::text, '') AND fingerprint <= coalesce(%(fingerprint)s::text, 'g')
    AND failed_at >= coalesce(%(since)s::timestamptz, '-infinity') AND failed_at < %(before)s
  ORDER BY fingerprint, failed_at, id LIMIT %(looked_at)s"""

_FIND = f"""
WITH w AS ({_WALK})
SELECT w.id, w.fingerprint, w.failed_at, j.state IN ({_FAILED}) AND {_MATCHES} AND NOT EXISTS (
    SELECT 1 FROM jobs k WHERE k.parent_id = j.id AND k.state NOT IN ({ENDED})) AS wanted
FROM w JOIN jobs j ON j.id = w.id ORDER BY w.fingerprint, w.failed_at, w.id
"""

_COUNT = f"""
WITH w AS ({_WALK})
SELECT (SELECT count(*) FROM w), count(*) FROM w JOIN jobs j ON j.id = w.id
WHERE j.state IN ({_FAILED}) AND {_MATCHES}
"""

# A job that was found may have been replayed or cancelled since: it is updated only if `failed_at` is unchanged.
_REPLAY_FOUND = f"""
WITH c AS (
  SELECT j.id FROM unnest(%(ids)s::uuid[], %(failed_at)s::timestamptz[]) AS d (id, failed_at)
  JOIN jobs j ON j.id = d.id AND j.failed_at = d.failed_at AND j.state IN ({_FAILED})
  ORDER BY j.id FOR UPDATE OF j),
u AS (
  UPDATE jobs j SET {ANEW} FROM c WHERE j.id = c.id
  RETURNING j.id, j.tenant_id, j.seq, j.kind, j.queue, j.priority),
a AS (DELETE FROM ai_answers a USING u WHERE a.tenant_id = u.tenant_id AND a.job_id = u.id),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, '{JobEvent.REPLAYED}', %(told)s::jsonb FROM u)
SELECT id, tenant_id, kind, queue, priority FROM u
"""

_REPLAY_COLUMNS = "id, filter, most, per_second, replayed, created_at, finished_at"

_BEGIN = f"""
INSERT INTO replays (id, tenant_id, requested_by, request_key, filter, except_kinds, most, per_second)
VALUES (%(id)s, %(tenant_id)s, %(requested_by)s, %(request_key)s, %(filter)s, %(except_kinds)s, %(most)s, %(per_second)s)
ON CONFLICT (tenant_id, request_key) WHERE request_key IS NOT NULL DO NOTHING
RETURNING {_REPLAY_COLUMNS}
"""
_BY_KEY = f"SELECT {_REPLAY_COLUMNS} FROM replays WHERE tenant_id = %s AND request_key = %s"
_BY_ID = f"SELECT {_REPLAY_COLUMNS} FROM replays WHERE tenant_id = %s AND id = %s"

_NEXT = """
SELECT id, tenant_id, requested_by, filter, except_kinds, most - replayed AS left_over, per_second, created_at,
  after_fingerprint, after_failed_at, after_id
FROM replays WHERE finished_at IS NULL AND next_at <= now() ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_MOVE_ON = """
UPDATE replays SET replayed = replayed + %(replayed)s, after_fingerprint = %(after_fingerprint)s,
  after_failed_at = %(after_failed_at)s, after_id = %(after_id)s,
  next_at = now() + make_interval(secs => %(pause_seconds)s),
  finished_at = CASE WHEN %(finished)s OR replayed + %(replayed)s >= most THEN now() END
WHERE id = %(id)s
"""
_FORGET = f"DELETE FROM replays WHERE finished_at < now() - interval '{KEPT_DAYS} days'"


async def begin(
    connection: Connection,
    replay_id: UUID,
    tenant_id: UUID,
    wanted: ReplayFilter,
    request: Request,
    *,
    except_kinds: Sequence[str],
    limit: int,
    per_second: float | None,
) -> Replay:
    """Stores a replay for the dispatchers; returns the earlier one when the key was used before. Raises QuotaExceeded when
    too many are open. Call it in a transaction."""
    usage = await usage_of(connection, OPEN_REPLAYS, tenant_id)
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_BY_KEY, (tenant_id, request.key))
        row = await cursor.fetchone()
        if row is None:
            usage.check()
            await cursor.execute(
                _BEGIN,
                {
                    "id": replay_id,
                    "tenant_id": tenant_id,
                    "requested_by": request.by,
                    "request_key": request.key,
                    "filter": Jsonb(wanted.model_dump(mode="json", exclude_none=True)),
                    "except_kinds": list(except_kinds),
                    "most": limit,
                    "per_second": per_second,
                },
            )
            row = await cursor.fetchone()
    assert row is not None, "the quota's lock keeps others from adding one of the same key"
    return _replay(row)


async def replay_of(connection: Connection, tenant_id: UUID, replay_id: UUID) -> Replay | None:
    """The replay and its progress; None when the tenant has no such replay."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_BY_ID, (tenant_id, replay_id))
        row = await cursor.fetchone()
    return None if row is None else _replay(row)


async def count(
    connection: Connection, tenant_id: UUID, wanted: ReplayFilter, *, before: datetime, except_kinds: Sequence[str]
) -> tuple[int, bool]:
    """How many jobs a replay would queue, and whether all failures were counted."""
    start = {"after_fingerprint": "", "after_failed_at": datetime(1970, 1, 1, tzinfo=UTC), "after_id": UUID(int=0)}
    filters = _filters(wanted, except_kinds)
    found = await connection.execute(
        _COUNT, {**filters, **start, "tenant_id": tenant_id, "before": before, "looked_at": MAX_LOOKED_AT}
    )
    row = await found.fetchone()
    assert row is not None
    return row[1], row[0] < MAX_LOOKED_AT


async def work_off(connection: Connection, *, ring_again_seconds: float) -> tuple[list[Unclaimed], bool]:
    """Runs one batch of the replay that is due longest. Returns the jobs that need a doorbell, and whether more may be
    due.

    The jobs and the cursor are committed together, so a process that dies has replayed all of a batch or nothing. Any
    number of dispatchers may call it at once.
    """
    async with connection.transaction():
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_NEXT)
            due = await cursor.fetchone()
        if due is None:
            return [], False
        return await _batch(connection, due, ring_again_seconds), True


async def _batch(connection: Connection, due: dict[str, Any], ring_again_seconds: float) -> list[Unclaimed]:
    rate: float | None = due["per_second"]
    room = min(AT_ONCE, due["left_over"], AT_ONCE if rate is None else max(1, int(rate)))
    places = {name: due[name] for name in ("tenant_id", "after_fingerprint", "after_failed_at", "after_id")}
    wanted = _filters(ReplayFilter.model_validate(due["filter"]), due["except_kinds"])
    before = due["created_at"] if wanted["until"] is None else min(wanted["until"], due["created_at"])
    found = await connection.execute(_FIND, {**wanted, **places, "before": before, "looked_at": MAX_LOOKED_AT})
    walked = await found.fetchall()
    taken, last = _first_wanted(walked, room)
    event_data = {"by": due["requested_by"], "replay": str(due["id"])}
    replayed = await connection.execute(
        _REPLAY_FOUND,
        {
            "ids": [row[0] for row in taken],
            "failed_at": [row[2] for row in taken],
            "told": Jsonb(event_data),
            "ring_again_seconds": ring_again_seconds,
        },
    )
    queued = [Unclaimed(*row) for row in await replayed.fetchall()]
    await connection.execute(
        _MOVE_ON,
        {
            "id": due["id"],
            "replayed": len(queued),
            "after_fingerprint": due["after_fingerprint"] if last is None else last[1],
            "after_failed_at": due["after_failed_at"] if last is None else last[2],
            "after_id": due["after_id"] if last is None else last[0],
            "pause_seconds": 0.0 if rate is None else len(queued) / rate,
            "finished": len(walked) < MAX_LOOKED_AT and (last is None or last is walked[-1]),
        },
    )
    return queued


async def forget_finished(connection: Connection) -> None:
    """Removes replays that ended KEPT_DAYS ago."""
    await connection.execute(_FORGET)


def _first_wanted(walked: list[tuple[Any, ...]], room: int) -> tuple[list[tuple[Any, ...]], tuple[Any, ...] | None]:
    """The first `room` matching rows, and the last row read for them."""
    taken: list[tuple[Any, ...]] = []
    for row in walked:
        if row[3]:
            taken.append(row)
            if len(taken) == room:
                return taken, row
    return taken, walked[-1] if walked else None


def _filters(wanted: ReplayFilter, except_kinds: Sequence[str]) -> dict[str, Any]:
    problem = wanted.problem
    return {
        "state": wanted.state,
        "kind": wanted.kind,
        "queue": wanted.queue,
        "problem": problem if problem is None or "/" in problem else PROBLEM_BASE + problem,
        "fingerprint": wanted.fingerprint,
        "since": wanted.since,
        "until": wanted.until,
        "except_kinds": list(except_kinds),
    }


def _replay(row: dict[str, Any]) -> Replay:
    return Replay(
        id=row["id"],
        state=ReplayState.RUNNING if row["finished_at"] is None else ReplayState.FINISHED,
        filter=ReplayFilter.model_validate(row["filter"]),
        limit=row["most"],
        per_second=row["per_second"],
        replayed=row["replayed"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
