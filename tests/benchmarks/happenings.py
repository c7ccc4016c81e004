"""Makes things happen to jobs as a worker does, and notes when: a state change and its event in one commit, then the word."""

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg
import redis

from infrastructure.redis.pubsub import Channel
from tests.benchmarks.peers.load import arrivals
from tests.benchmarks.waiting import pass_time

_MAKE = """
WITH made AS (
  INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command)
  SELECT uuidv7(), (SELECT id FROM tenants WHERE is_operator), 'bench.nothing', 'ai', 'queued', 5, '{}' FROM generate_series(1, %s)
  RETURNING id, tenant_id),
told AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, 1, tenant_id, 'job.queued', '{"happened": 0}' FROM made)
SELECT id, tenant_id FROM made
"""
_HAPPEN = """
WITH changed AS (
  UPDATE jobs SET seq = seq + 1, state = CASE state WHEN 'running' THEN 'queued' ELSE 'running' END WHERE id = %s
  RETURNING id, seq, tenant_id, state)
INSERT INTO job_events (job_id, seq, tenant_id, type, data)
SELECT id, seq, tenant_id, CASE state WHEN 'running' THEN 'job.started' ELSE 'job.requeued' END,
  jsonb_build_object('happened', %s::float8)
FROM changed
"""


def paced(count: int, rate: float, seed: int) -> Iterator[int]:
    """The numbers below `count`, each at a random moment, so many a second."""
    begun_at = time.monotonic()
    for number, offset in zip(range(count), arrivals(rate, 1e9, seed), strict=False):
        pass_time(max(0.0, begun_at + offset - time.monotonic()))
        yield number


class Happenings:
    """One tenant's jobs, and what happens to them."""

    def __init__(self, database_url: str, client: "redis.Redis", jobs: int) -> None:
        self._connection = psycopg.connect(database_url, autocommit=True, prepare_threshold=0)
        self._redis = client
        rows = self._connection.execute(_MAKE, (jobs,)).fetchall()
        self.jobs: list[UUID] = [row[0] for row in rows]
        self._tenant_id: UUID = rows[0][1]

    def warm_up(self) -> None:
        self._happen(self.jobs[0], 0.0)

    def happen(self, count: int, rate: float, *, of: Sequence[UUID], seed: int) -> None:
        """So many events at random moments, by turns to these jobs. Their time is from before the commit begins."""
        for number in paced(count, rate, seed):
            self._happen(of[number % len(of)], time.time())

    def _happen(self, job_id: UUID, at: float) -> None:
        self._connection.execute(_HAPPEN, (job_id, at))
        self._redis.publish(Channel.TENANTS, self._tenant_id.bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
