"""Records events that a run reports before it ends: one statement stores those of many runs, each only if its token holds."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from infrastructure.postgres import binary
from infrastructure.postgres.prepared import Prepared, fetch
from infrastructure.postgres.session import Connection

MAX_TIMELINE_EVENTS = 2_000
"""Entries of a job's timeline beyond which nothing more is recorded; what happens to the job itself still is."""

# The rows are locked in the order of their ids, as by the statements that claim and settle.
_RECORD = Prepared(
    "record",
    """
WITH d AS (
  SELECT * FROM unnest(%(id)b::uuid[], %(token)b::uuid[], %(type)b::text[], %(data)b::text[])
    WITH ORDINALITY AS d (id, token, type, data, place)),
n AS (SELECT id, token, count(*)::int AS events FROM d GROUP BY id, token ORDER BY id),
u AS (
  UPDATE jobs j SET seq = j.seq + n.events FROM n
  WHERE j.id = n.id AND j.lease_token = n.token AND j.seq + n.events <= %(max_events)b::int8
  RETURNING j.id, j.lease_token AS token, j.tenant_id, j.seq - n.events AS seq),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, u.seq + row_number() OVER (PARTITION BY id ORDER BY d.place), u.tenant_id, d.type, d.data::jsonb
  FROM u JOIN d USING (id, token))
SELECT n.id, n.token, u.id IS NOT NULL FROM n LEFT JOIN u USING (id, token) LEFT JOIN jobs j ON j.id = n.id
WHERE u.id IS NOT NULL OR (j.lease_token = n.token AND j.seq + n.events > %(max_events)b::int8)
""",
)


class Recording(NamedTuple):
    """An event of one run."""

    job_id: UUID
    token: UUID
    type: str
    data: str
    """JSON text."""


class Recorded(Enum):
    STORED = "stored"
    FULL = "full"
    """The job's timeline has no room for it."""
    LATE = "late"
    """The fencing token was no longer valid."""


async def record(connection: Connection, recordings: Sequence[Recording]) -> list[Recorded]:
    """Adds the events to their jobs' timelines, in this order, and returns what came of each. Not safe to repeat."""
    rows = await fetch(
        connection,
        _RECORD(
            id=binary.uuids([one.job_id.bytes for one in recordings]),
            token=binary.uuids([one.token.bytes for one in recordings]),
            type=binary.texts([one.type for one in recordings]),
            data=binary.texts([one.data for one in recordings]),
            max_events=binary.bigint(MAX_TIMELINE_EVENTS),
        ),
    )
    found = {(job_id, token): Recorded.STORED if stored else Recorded.FULL for job_id, token, stored in rows}
    return [found.get((one.job_id, one.token), Recorded.LATE) for one in recordings]


async def times_recorded(connection: Connection, job_id: UUID, event_type: str) -> int:
    """How many events of this type the job's timeline has."""
    found = await connection.execute(
        "SELECT count(*) FROM job_events WHERE job_id = %s AND type = %s", (job_id, event_type)
    )
    row = await found.fetchone()
    return 0 if row is None else int(row[0])
