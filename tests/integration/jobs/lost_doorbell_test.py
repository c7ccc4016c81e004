"""A worker that dies takes the doorbells it had with it: their jobs are rung for again."""

import asyncio
from uuid import UUID, uuid4

from infrastructure.postgres.jobs.submission import store
from infrastructure.postgres.session import PostgresSession, Role
from producers.submission.submitter import new_job
from tests.probe import LeaveMark, Nothing
from tests.system import System
from tests.waiting import wait_until

BACKLOG = 1_600


def test_a_lost_bell_is_rung_again_however_long_the_queue_is(system: System) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1", RING_ALL_AGAIN_SECONDS="5")
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(BACKLOG)])
    system.worker(WORKER_CONCURRENCY="4")
    wait_until(lambda: system.states()["running"], "the backlog is being worked off")

    job_id = _accept_without_a_bell(system)

    system.await_state(job_id, "succeeded")
    assert system.states()["queued"] > BACKLOG // 2, "it didn't have to wait for the backlog's end"


def _accept_without_a_bell(system: System) -> UUID:
    job = new_job(uuid4(), Nothing())

    async def accept() -> None:
        async with PostgresSession(system.settings.database, Role.SUBMIT, "test") as session:
            await session.run(lambda connection: store(connection, [job], ring_again_seconds=1.0, idempotency_hours=1))

    asyncio.run(accept())
    return job.id
