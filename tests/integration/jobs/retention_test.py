"""Ended jobs leave when they have been kept long enough, with all that is theirs; nothing leaves that is still needed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from infrastructure.postgres.jobs import retention
from infrastructure.postgres.jobs.retention import (
    LONGEST,
    SHORTEST,
    KeptFor,
    Removed,
    Retention,
    first_id_of,
    next_stretch,
)
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.settings import Settings
from producers.dispatcher.retention import retention_of
from schemas.commands import Command
from tests.probe import Nothing
from tests.system import System
from tests.waiting import wait_until

HOUR = 3_600.0
DAY = 24 * HOUR
WEEK = Retention(KeptFor("", 7 * DAY, 30 * DAY))


class Store:
    """The jobs table as time has left it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made = 0
        self.database = psycopg.connect(url, autocommit=True)
        self.tenant_id = uuid4()

    def job(
        self, *, days: float, state: str = "succeeded", kind: str = "probe.nothing", parent: UUID | None = None
    ) -> UUID:
        """A job that was made and ended so many days ago."""
        at = datetime.now(UTC) - timedelta(days=days)
        self._made += 1
        job_id = UUID(int=first_id_of(at).int + self._made)
        ended = at if state in ("succeeded", "failed", "dead", "cancelled") else None
        self.database.execute(
            "INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command, result, parent_id, created_at, "
            "finished_at) VALUES (%s, %s, %s, 'ai', %s, 5, '{}', %s, %s, %s, %s)",
            (job_id, self.tenant_id, kind, state, Jsonb({"text": "words"}), parent, at, ended),
        )
        self.database.execute(
            "INSERT INTO job_events (job_id, seq, tenant_id, type, data) "
            "VALUES (%(id)s, 1, %(tenant)s, 'job.queued', '{}'), (%(id)s, 2, %(tenant)s, 'probe.done', '{\"text\": 1}')",
            {"id": job_id, "tenant": self.tenant_id},
        )
        return job_id

    def left(self) -> set[UUID]:
        return {row[0] for row in self.database.execute("SELECT id FROM jobs").fetchall()}

    def told_of(self) -> set[UUID]:
        return {row[0] for row in self.database.execute("SELECT job_id FROM job_events").fetchall()}

    def next_pass(self) -> None:
        self.database.execute("UPDATE walks SET next_at = now()")

    def remove(self, rules: Retention = WEEK, *, most: int = 1_000) -> Removed | None:
        async def run() -> Removed | None:
            async with PostgresSession(self._url, Role.SYSTEM, "test", BUS_SESSION) as session:
                return await session.run(lambda connection: retention.remove_old(connection, rules, limit=most))

        return asyncio.run(run())

    @contextmanager
    def another(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._url) as connection:
            yield connection


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.database.close()


def test_what_was_kept_long_enough_leaves_with_its_timeline(store: Store) -> None:
    gone = {store.job(days=8), store.job(days=7.1, state="cancelled"), store.job(days=31, state="dead")}
    stays = {
        store.job(days=6.9),
        store.job(days=8, state="failed"),
        store.job(days=29, state="dead"),
        *(store.job(days=90, state=state) for state in ("queued", "running", "waiting", "retrying", "scheduled")),
    }
    removed = store.remove()

    assert (removed and removed.jobs) == len(gone)
    assert store.left() == store.told_of() == stays


def test_a_dispatcher_does_it_by_itself(system: System) -> None:
    (job_id,) = system.submit(Nothing())
    system.worker()
    system.await_state(job_id, "succeeded")
    aged = first_id_of(datetime.now(UTC) - timedelta(days=8))
    for statement in (
        "UPDATE jobs SET id = %s, finished_at = now() - interval '8 days' WHERE id = %s RETURNING id",
        "UPDATE job_events SET job_id = %s WHERE job_id = %s RETURNING seq",
    ):
        system.read(statement, aged, job_id)
    (young,) = system.submit(Nothing())
    system.await_state(young, "succeeded")
    system.dispatcher()

    wait_until(lambda: system.read("SELECT id FROM jobs") == [(young,)], "the old job is gone")
    assert system.read("SELECT DISTINCT job_id FROM job_events") == [(young,)]


def test_a_kind_may_keep_its_jobs_longer_and_its_results_shorter(store: Store) -> None:
    rules = Retention(
        WEEK.usual, (KeptFor("long", 60 * DAY, 60 * DAY), KeptFor("brief", 7 * DAY, 30 * DAY, result_seconds=HOUR))
    )
    long, brief, fresh = (
        store.job(days=50, kind="long"),
        store.job(days=0.1, kind="brief"),
        store.job(days=0.01, kind="brief"),
    )
    removed = store.remove(rules)

    assert (removed and (removed.jobs, removed.results)) == (0, 1)
    assert store.left() == {long, brief, fresh}
    kept: dict[UUID, object] = dict(store.database.execute("SELECT id, result FROM jobs").fetchall())
    assert [kept[one] is None for one in (long, brief, fresh)] == [False, True, False]
    told = store.database.execute("SELECT job_id FROM job_events WHERE type = 'probe.done' AND data IS NULL")
    assert told.fetchall() == [(brief,)]


def test_children_leave_after_their_parent_and_a_parent_after_its_childrens_end(store: Store) -> None:
    waits, done, left_behind = store.job(days=90, state="waiting"), store.job(days=80), store.job(days=70)
    of_waiting = store.job(days=60, parent=waits)
    of_done = store.job(days=50, parent=done)
    runs_on = store.job(days=40, parent=left_behind, state="running")
    store.remove()
    first = store.left()
    store.next_pass()
    store.remove()

    assert first == {waits, of_waiting, of_done, left_behind, runs_on}
    assert store.left() == {waits, of_waiting, left_behind, runs_on}


def test_a_batch_stays_for_the_last_of_its_jobs_and_they_dont_wait_for_it(store: Store) -> None:
    waits, done = store.job(days=80, state="waiting", kind="jobs.batch"), store.job(days=20, kind="jobs.batch")
    of_waiting = store.job(days=60, parent=waits)
    failed = store.job(days=20, parent=done, state="failed")
    store.job(days=20, parent=done)
    store.remove()
    first = store.left()
    store.database.execute("UPDATE jobs SET finished_at = now() - interval '31 days' WHERE id = %s", (failed,))
    store.next_pass()
    store.remove()
    second = store.left()
    store.next_pass()
    store.remove()

    assert first == {waits, of_waiting, done, failed}
    assert second == {waits, of_waiting, done}
    assert store.left() == {waits, of_waiting}


def test_a_pass_goes_on_where_it_stopped_and_serves_all_tenants_by_age(store: Store) -> None:
    oldest = [store.job(days=40 - number / 10) for number in range(25)]
    store.tenant_id = uuid4()
    other = store.job(days=35)
    newest = [store.job(days=20 - number / 10) for number in range(10)]
    first = store.remove(most=30)
    with store.another() as dispatcher:
        dispatcher.execute("SELECT 1 FROM walks WHERE name = 'retention' FOR UPDATE")
        beside = store.remove(most=30)
    second = store.remove(most=30)

    assert first is not None
    assert second is not None
    assert (first.jobs, first.more, beside, second.jobs, second.more) == (30, True, None, 6, False)
    assert store.remove() is None
    assert store.left() & {*oldest, other, *newest} == set()


def test_a_job_that_is_being_replayed_stays(store: Store) -> None:
    job_id = store.job(days=40, state="dead")
    with store.another() as replayer:
        replayer.execute("UPDATE jobs SET state = 'queued', finished_at = NULL WHERE id = %s", (job_id,))
        removed = store.remove()
        replayer.commit()

    assert (removed and removed.jobs) == 0
    assert store.left() == {job_id}
    store.next_pass()
    store.remove()
    assert store.left() == {job_id}


def test_no_job_leaves_before_its_idempotency_key_has_expired() -> None:
    class Fleeting(Command):
        retention_hours = 0.5

    rules = retention_of(Settings(idempotency_hours=24, retention_hours=1.0), {"fleeting": Fleeting})

    assert rules.usual.seconds == rules.kinds[0].seconds == DAY
    assert rules.usual.failed_seconds == 30 * DAY


@pytest.mark.parametrize(
    ("most", "seconds", "then"),
    [(1_000, 0.01, 2_000), (1_000, 0.1, 1_000), (1_000, 0.5, 500), (SHORTEST, 9.0, SHORTEST), (LONGEST, 0.0, LONGEST)],
)
def test_a_stretch_is_as_long_as_the_last_one_was_quick(most: int, seconds: float, then: int) -> None:
    assert next_stretch(most, seconds) == then
