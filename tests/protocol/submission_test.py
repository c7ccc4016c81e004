"""A job that comes by itself is stored by a statement of its own, and nobody can tell."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from infrastructure.postgres.jobs.submission import Accepted, NewJob, Submission, store
from tests.protocol.database import TENANT, Database, new_job
from tests.protocol.machine import RING_AGAIN_SECONDS

BESIDE = UUID(int=1)
LONE, AMONG_MANY = UUID(int=2), UUID(int=3)
PLAIN = new_job(LONE)
TOLD = replace(
    PLAIN,
    version=3,
    priority=9,
    max_attempts=7,
    command='{"title": "Straße"}',
    deadline=datetime.now(UTC) + timedelta(hours=1),
    correlation_id=UUID(int=4),
    causation_id=UUID(int=5),
    parent_id=UUID(int=6),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
JOBS = {
    "plain": PLAIN,
    "told everything": TOLD,
    "patient": replace(PLAIN, priority=0),
    "later": replace(PLAIN, run_at=datetime.now(UTC) + timedelta(hours=1)),
    "under a key": replace(PLAIN, concurrency_key="tap", concurrency_limit=1),
}


@pytest.mark.parametrize("capped", [False, True], ids=["free", "capped"])
@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_a_lone_job_is_stored_as_one_among_many(database_url: str, job: NewJob, capped: bool) -> None:
    with Database(database_url) as database:
        if capped:
            database.change("INSERT INTO tenants (id, name) VALUES (%s, 'capped')", TENANT)
            database.change("INSERT INTO tenant_limits (tenant_id, most_in_flight) VALUES (%s, 1)", TENANT)
        [lone] = _store(database, job)
        _, among_many = _store(database, new_job(BESIDE), replace(job, id=AMONG_MANY))

    assert isinstance(among_many, Accepted)
    assert lone == replace(among_many, job_id=LONE)
    from_its_making = job.run_at is None
    assert _told(database_url, LONE, from_its_making) == _told(database_url, AMONG_MANY, from_its_making)


def test_a_lone_job_whose_answer_was_lost_is_stored_once(database_url: str) -> None:
    with Database(database_url) as database:
        assert [_store(database, PLAIN) for _ in range(2)] == [[Accepted(LONE)]] * 2
        assert database.rows().keys() == {LONE}


def _store(database: Database, *jobs: NewJob) -> list[Submission]:
    return database.submit(
        lambda connection: store(
            connection, jobs, ring_again_seconds=RING_AGAIN_SECONDS, idempotency_hours=1, rung_ahead=True
        )
    )


def _told(database_url: str, job_id: UUID, from_its_making: bool) -> tuple[dict[str, object], list[tuple[object, ...]]]:
    """All that is known of the job but its id; when it is due as it stands there, or how long after the job was made."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT to_jsonb(j) FROM jobs j WHERE id = %s", (job_id,)).fetchone()
        assert row is not None
        events = connection.execute(
            "SELECT seq, tenant_id, type, data FROM job_events WHERE job_id = %s ORDER BY seq", (job_id,)
        ).fetchall()
    columns = {name: value for name, value in row[0].items() if name != "id"}
    made_at = datetime.fromisoformat(columns.pop("created_at"))
    if from_its_making:
        for name in ("run_at", "wake_at"):
            columns[name] = columns[name] and datetime.fromisoformat(columns[name]) - made_at
    return columns, events
