"""Fills a database with jobs that have ended, as months of work leave them."""

import asyncio
import time
from dataclasses import dataclass

import psycopg

from tests.benchmarks.peers.load import PAD, TENANTS
from tests.tenancy import tenants_numbered

DAYS = 30
JOBS_IN_A_COMMIT = 2_000

# The oldest first, as they would have come: ids (UUIDv7 of their own time) and transaction ids both rise. Of what a job
# leaves nothing is missing that an index or a page would hold: its command, three events, the token of its outcome.
_FILL = f"""
DO $$
DECLARE total bigint := {{jobs}}; first bigint := 1; tenants uuid[] := '{{{{{{tenants}}}}}}';
BEGIN
  SET LOCAL synchronous_commit = off;
  WHILE first <= total LOOP
    WITH made AS (
      INSERT INTO jobs (id, tenant_id, kind, queue, state, attempt, max_attempts, seq, run_at, created_at, started_at,
        finished_at, settled_token, command)
      SELECT uuidv7(at - now()), tenants[1 + n % array_length(tenants, 1)], 'bench.nothing', 'ai', 'succeeded', 1, 5, 3,
        at, at, at + interval '5 ms', at + interval '9 ms', uuidv7(),
        jsonb_build_object('pad', '{PAD}', 'called_at', 0.0)
      FROM generate_series(first, least(first + {JOBS_IN_A_COMMIT} - 1, total)) AS n,
        LATERAL (SELECT now() - interval '{DAYS} days' * (1 - n / total::float8) - interval '1 hour' AS at)
      RETURNING id, tenant_id, created_at)
    INSERT INTO job_events (job_id, seq, tenant_id, type, at, data)
    SELECT id, seq, tenant_id, 'job.' || type, created_at + interval '4 ms' * (seq - 1), data
    FROM made CROSS JOIN (VALUES
      (1, 'queued', jsonb_build_object('kind', 'bench.nothing', 'queue', 'ai', 'priority', 5)),
      (2, 'started', jsonb_build_object('attempt', 1)),
      (3, 'succeeded', NULL)) AS step (seq, type, data)
    ORDER BY id, seq;
    COMMIT;
    SET LOCAL synchronous_commit = off;
    first := first + {JOBS_IN_A_COMMIT};
  END LOOP;
END $$
"""


@dataclass(frozen=True, slots=True)
class History:
    """What was made."""

    jobs: int
    seconds: float
    bytes: int
    """On disk, with all indexes."""


def leave_history(database_url: str, jobs: int) -> History:
    """Adds so many succeeded jobs with three events each, spread over the past month, vacuumed and analysed."""
    begun_at = time.monotonic()
    with psycopg.connect(database_url, autocommit=True) as connection:
        tenants = asyncio.run(tenants_numbered(database_url, len(TENANTS)))
        statement = _FILL.format(jobs=jobs, tenants=",".join(map(str, tenants)))
        connection.execute(statement.encode())
        connection.execute("VACUUM (ANALYZE) jobs, job_events")
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return History(jobs, time.monotonic() - begun_at, 0 if row is None else row[0])
