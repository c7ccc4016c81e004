"""Statements that meet at the same job at the same moment, each staged so that the moment is certain."""

import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest

from infrastructure.postgres.jobs import claim, sweep
from infrastructure.postgres.jobs import settlement as settling
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.jobs.submission import store
from schemas.jobs import JobState
from tests.protocol.database import Database, new_job
from tests.protocol.endings import OUTCOMES, settlement
from tests.protocol.machine import POISON, RING_AGAIN_SECONDS
from tests.waiting import wait_until
from workers.runtime.settling.outcomes import AwaitingChildren

FIRST, SECOND = UUID(int=1), UUID(int=2)
LATE, NEW = UUID(int=11), UUID(int=12)
GATE = 4711


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as opened:
        yield opened


def test_a_late_end_beside_the_right_one_brings_no_children(database: Database) -> None:
    (late,) = _changes_hands(database, [FIRST])
    (current,) = _claim(database, NEW, [FIRST])
    waits = next(outcome for outcome in OUTCOMES if isinstance(outcome, AwaitingChildren))

    _settle(database, settlement(late, waits), settlement(current, OUTCOMES[0]))

    assert set(database.rows()) == {FIRST}, "the children of a run that had no effect aren't made"
    assert database.rows()[FIRST].state is JobState.SUCCEEDED


def test_a_slow_reaper_takes_no_job_from_the_worker_that_has_it_by_now(database_url: str, database: Database) -> None:
    """Two dispatchers reap at once, and the slower one comes to a job that a living worker has claimed meanwhile."""
    _submit(database, [FIRST, SECOND])
    database.register(LATE)
    _claim(database, LATE, [FIRST, SECOND])
    database.leave(LATE)
    with psycopg.connect(database_url, autocommit=True) as gatekeeper, Database(database_url) as slow:
        _let_updates_of_wait_at_the_gate(gatekeeper, FIRST)
        gatekeeper.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        reaping = _beside(lambda: _reap(slow))
        wait_until(lambda: _waiting(gatekeeper) == 1, "the slow reaper stands at the gate")
        _reap(database)
        database.register(NEW)
        claims = _claim(database, NEW, [SECOND])
        gatekeeper.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
        reaping.join()

    if claims:  # The slow reaper hadn't come to it before.
        row = database.rows()[SECOND]
        assert (row.state, row.worker) == (JobState.RUNNING, NEW), "a living worker keeps its job"


def test_two_claims_of_the_same_jobs_at_once_share_them_out(database_url: str, database: Database) -> None:
    """Both come to the first job at the same moment, naming the jobs in opposite orders."""
    _submit(database, [FIRST, SECOND])
    database.register(LATE)
    database.register(NEW)
    claims: list[Claimed] = []
    with (
        psycopg.connect(database_url, autocommit=True) as gatekeeper,
        Database(database_url) as one,
        Database(database_url) as other,
    ):
        _let_updates_of_wait_at_the_gate(gatekeeper, FIRST)
        gatekeeper.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        claiming_both = [
            _beside(lambda: claims.extend(_claim(one, LATE, [FIRST, SECOND]))),
            _beside(lambda: claims.extend(_claim(other, NEW, [SECOND, FIRST]))),
        ]
        wait_until(lambda: _waiting(gatekeeper) == 2, "one claim stands at the gate and the other behind it")
        gatekeeper.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
        for thread in claiming_both:
            thread.join()

    assert sorted(claimed.id for claimed in claims) == [FIRST, SECOND]
    assert {row.attempt for row in database.rows().values()} == {1}


def _changes_hands(database: Database, ids: list[UUID]) -> list[Claimed]:
    """The claims of a worker that was given up; another may have the jobs now."""
    _submit(database, ids)
    database.register(LATE)
    late = _claim(database, LATE, ids)
    database.leave(LATE)
    _reap(database)
    database.register(NEW)
    return late


def _submit(database: Database, ids: list[UUID]) -> None:
    jobs = [new_job(job_id) for job_id in ids]
    database.submit(
        lambda connection: store(connection, jobs, ring_again_seconds=RING_AGAIN_SECONDS, idempotency_hours=1)
    )


def _claim(database: Database, worker: UUID, ids: list[UUID]) -> list[Claimed]:
    return database.do(lambda connection: claim.claim(connection, worker, sorted(one.bytes for one in ids)))


def _settle(database: Database, *ended: settling.Settlement) -> None:
    database.do(lambda connection: settling.settle(connection, ended, ring_again_seconds=RING_AGAIN_SECONDS))


def _reap(database: Database) -> None:
    database.do(lambda connection: sweep.reap(connection, poison=POISON, stall=POISON))


def _let_updates_of_wait_at_the_gate(gatekeeper: psycopg.Connection, job_id: UUID) -> None:
    gatekeeper.execute(
        f"""
        CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM pg_advisory_lock({GATE});
          PERFORM pg_advisory_unlock({GATE});
          RETURN NEW;
        END $$;
        CREATE TRIGGER gate BEFORE UPDATE ON jobs FOR EACH ROW WHEN (OLD.id = '{job_id}')
          EXECUTE FUNCTION wait_at_the_gate()
        """
    )


def _waiting(gatekeeper: psycopg.Connection) -> int:
    found = gatekeeper.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return 0 if found is None else int(found[0])


def _beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name="beside")
    thread.start()
    return thread
