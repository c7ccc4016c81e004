"""A power cut takes transactions along that didn't wait for the disk, and PostgreSQL then gives their numbers out again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import pytest

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.postgres.events import feed
from infrastructure.postgres.events.feed import EventRow, News, Position
from infrastructure.postgres.jobs.cancellation import cancel
from infrastructure.postgres.jobs.claim import Claimed, claim
from infrastructure.postgres.jobs.settlement import Settlement, settle
from infrastructure.postgres.jobs.submission import store
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.postgres.workers import Heart
from schemas.jobs import JobState
from tests.protocol.database import TENANT, new_job
from workers.runtime.worker import CLAIM_SESSION

T = TypeVar("T")
JOBS = [UUID(int=number) for number in range(1, 5)]
WORKER = UUID(int=100)


class Sessions:
    """The lines of a submitter, a worker and a reader, as the product opens them."""

    def __init__(self, url: str) -> None:
        self._submits = PostgresSession(url, Role.SUBMIT, "submit", BUS_SESSION)
        self._claims = PostgresSession(url, Role.SYSTEM, "claim", CLAIM_SESSION)
        self._settles = PostgresSession(url, Role.SYSTEM, "settle", BUS_SESSION)
        self._reads = PostgresSession(url, Role.SYSTEM, "read")

    async def submit(self) -> None:
        jobs = [new_job(job_id) for job_id in JOBS]
        await self._submits.run(lambda connection: store(connection, jobs, ring_again_seconds=60, idempotency_hours=1))

    async def claim(self, *job_ids: UUID) -> list[Claimed]:
        return await self._claims.run(
            lambda connection: claim(connection, WORKER, [job_id.bytes for job_id in job_ids])
        )

    async def settle(self, claims: Sequence[Claimed]) -> None:
        ends = [Settlement(one.id, one.token, JobState.SUCCEEDED, "job.succeeded") for one in claims]
        await self._settles.run(lambda connection: settle(connection, ends, ring_again_seconds=60))

    async def read(self, position: Position | None) -> News:
        news = await self._reads.run(lambda connection: feed.news(connection, {TENANT: position}))
        return news[TENANT]

    async def read_job(self, job_id: UUID, *, after: int) -> tuple[EventRow, ...]:
        found = await self._reads.run(lambda connection: feed.job_rows(connection, TENANT, job_id, after=after))
        assert found is not None
        return found.rows

    async def cancel(self, job_id: UUID) -> None:
        await self._settles.run(lambda connection: cancel(connection, TENANT, job_id))

    async def close(self) -> None:
        for line in (self._submits, self._claims, self._settles, self._reads):
            await line.close()


Work = Callable[[Sessions], Awaitable[T]]


def _do(url: str, work: Work[T]) -> T:
    async def done() -> T:
        sessions = Sessions(url)
        try:
            return await work(sessions)
        finally:
            await sessions.close()

    return asyncio.run(done())


@pytest.fixture
def url(database_url: str) -> str:
    """Of a database that knows the worker."""
    heart = Heart(database_url)
    heart.register(WORKER, "ai", "protocol", 1)
    heart.close()
    return database_url


def test_a_reader_misses_no_event_after_a_power_cut(postgres: PostgresServer, url: str) -> None:
    async def until_the_cut(sessions: Sessions) -> tuple[Position, list[Claimed]]:
        begun = await sessions.read(None)
        await sessions.submit()
        claims = [one for job_id in JOBS for one in await sessions.claim(job_id)]
        found = await sessions.read(begun.position)
        assert [row.type for row in found.rows].count("job.started") == len(JOBS)
        postgres.kill()
        return found.position, claims

    async def after_it(sessions: Sessions) -> News:
        await sessions.settle(claims)
        if forgotten := await sessions.claim(*JOBS):
            await sessions.settle(forgotten)
        return await sessions.read(position)

    position, claims = _do(url, until_the_cut)
    postgres.start()
    news = _do(url, after_it)
    assert [row.job_id for row in news.rows if row.type == "job.succeeded"] == JOBS


def test_who_watches_one_job_misses_nothing_of_it_after_a_power_cut(postgres: PostgresServer, url: str) -> None:
    async def until_the_cut(sessions: Sessions) -> int:
        await sessions.submit()
        await sessions.claim(*JOBS)
        *_, last = await sessions.read_job(JOBS[0], after=0)
        assert last.type == "job.started"
        postgres.kill()
        return last.seq

    async def after_it(sessions: Sessions) -> tuple[EventRow, ...]:
        await sessions.cancel(JOBS[0])
        return await sessions.read_job(JOBS[0], after=seen)

    seen = _do(url, until_the_cut)
    postgres.start()
    assert [row.type for row in _do(url, after_it)] == ["job.cancelled"]
