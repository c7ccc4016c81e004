"""A worker's consumer in the test's own process, on real servers, whose connections lose answers when they are told to."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.errors import ReadOnlySqlTransaction

from infrastructure.celery.message import Doorbell, JobRef, Lot
from infrastructure.celery.window import Window
from infrastructure.concurrency.supervisor import Supervisor
from infrastructure.object_store.files import FileStore
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import submission
from infrastructure.postgres.jobs.submission import NewJob
from infrastructure.postgres.session import BUS_SESSION, Connection, PostgresSession, Role, connect
from infrastructure.postgres.workers import Heart
from infrastructure.redis import client as redis_client
from infrastructure.settings import Settings
from infrastructure.wiring import keyring
from monitoring.health.loops import LoopReport
from producers.dispatcher.controls import NONE
from producers.submission.submitter import JobOptions, new_job
from schemas.commands import Command
from tests.protocol.database import TENANT
from tests.waiting import wait_until
from workers.runtime.consumer import JobConsumer
from workers.runtime.handler import Handler
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.running.live_text import LiveText
from workers.runtime.running.notifier import Notifier
from workers.runtime.running.running_jobs import RunningJobs
from workers.runtime.settling.outcomes import Stop

T = TypeVar("T")

QUEUE = "ai"
CONCURRENCY = 16
SOON_SECONDS = 60.0
RING_AGAIN_SECONDS = 1.0
HEARTBEAT_SECONDS = 0.1
ENDLESS_SECONDS = 3_600.0


class WatchedLine(PostgresSession):
    """Loses the answer of a statement that was committed, once for each time it is told to, or holds it back until
    something else has happened; counts refused writes."""

    answers_to_lose = 0
    refused = 0
    then: Callable[[], Awaitable[object]] | None = None
    """What happens before its next answer is given."""

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            answer = await super().run(work)
        except Exception as error:
            self.refused += any(isinstance(one, ReadOnlySqlTransaction) for one in (error, error.__cause__))
            raise
        if then := self.then:
            self.then = None
            await then()
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise Unavailable("the connection broke after the commit")
        return answer


class Consuming:
    """What a test holds of it."""

    def __init__(
        self,
        database_url: str,
        consumer: JobConsumer,
        heartbeat: Heartbeat,
        messenger: Notifier,
        claim_line: WatchedLine,
        settle_session: WatchedLine,
    ) -> None:
        self.consumer = consumer
        self.heartbeat = heartbeat
        self.messenger = messenger
        self.claim_line = claim_line
        self.settle_session = settle_session
        self._database_url = database_url
        self._truth = psycopg.connect(database_url, autocommit=True)

    async def submit(self, *commands: Command, crashes: int = 0) -> list[UUID]:
        """Stored, not rung for. With crashes they are suspects."""
        jobs = [new_job(TENANT, command, JobOptions()) for command in commands]
        await self.store(jobs)
        ids = [job.id for job in jobs]
        self._truth.execute("UPDATE jobs SET crashes = %s WHERE id = ANY(%s)", (crashes, ids))
        return ids

    async def store(self, jobs: Sequence[NewJob]) -> None:
        async with PostgresSession(self._database_url, Role.SUBMIT, "test") as session:
            await session.run(
                lambda connection: submission.store(
                    connection, jobs, ring_again_seconds=RING_AGAIN_SECONDS, idempotency_hours=1
                )
            )

    @asynccontextmanager
    async def committing(self, jobs: Sequence[NewJob]) -> AsyncIterator[Connection]:
        """Has stored the jobs, which were rung for ahead, and commits them at the end."""
        connection = await connect(self._database_url, Role.SUBMIT, "test")
        async with connection, connection.transaction():
            await submission.store(
                connection, jobs, ring_again_seconds=RING_AGAIN_SECONDS, idempotency_hours=1, rung_ahead=True
            )
            yield connection

    def ring(self, command: type[Command], job_ids: Sequence[UUID], *, ahead: bool = False) -> "asyncio.Future[None]":
        lot = Lot(command.kind, TENANT, b"".join(job_id.bytes for job_id in job_ids))
        return self.consumer.take(Doorbell(0, (lot,), ahead=ahead)).done

    def read(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._truth.execute(statement, parameters).fetchall()

    def state(self, job_id: UUID) -> str:
        return str(self.read("SELECT state FROM jobs WHERE id = %s", job_id)[0][0])

    def timeline(self, job_id: UUID) -> list[str]:
        return [kind for (kind,) in self.read("SELECT type FROM job_events WHERE job_id = %s ORDER BY seq", job_id)]

    async def until(self, condition: Callable[[], object], description: str) -> None:
        await asyncio.to_thread(wait_until, condition, description, within_seconds=SOON_SECONDS)

    async def until_in(self, state: str, *job_ids: UUID) -> None:
        try:
            await self.until(lambda: {self.state(job_id) for job_id in job_ids} == {state}, f"the jobs are {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}; they are {[self.state(job_id) for job_id in job_ids]}") from None

    async def until_all_is_told(self) -> None:
        """Until the consumer has settled what it runs and its messenger has said everything."""
        await self.consumer.drain()
        await self.messenger.close()

    def close(self) -> None:
        self._truth.close()


def _heartbeat(database_url: str, running: RunningJobs) -> Heartbeat:
    return Heartbeat(
        Heart(database_url),
        QUEUE,
        heartbeat_seconds=HEARTBEAT_SECONDS,
        lease_seconds=15.0,
        on_death=lambda: running.stop_all(Stop.LEASE_LOST),
        job_of=running.job_of,
    )


@asynccontextmanager
async def consuming(
    database_url: str,
    redis_url: str,
    *handlers: Handler[Any],
    concurrency: int = CONCURRENCY,
    grace_seconds: float = 1.0,
    tells: Callable[[JobConsumer], None] | None = None,
) -> AsyncIterator[Consuming]:
    """`tells` is called each time the consumer has news to tell, which is right after it launched what it claimed."""
    async with AsyncExitStack() as resources:
        folder = resources.enter_context(TemporaryDirectory())
        redis = redis_client.connect(redis_url)
        resources.push_async_callback(redis.aclose)
        lines = [WatchedLine(database_url, Role.SYSTEM, name, BUS_SESSION) for name in ("claim", "settle", "aside")]
        for line in lines:
            await resources.enter_async_context(line)

        class TellingMessenger(Notifier):
            def notify(self, tenants: Any) -> None:
                super().notify(tenants)
                if tells is not None:
                    tells(consumer)

            def give_back(self, rings: Sequence[JobRef], *, bell_jobs: int, last: bool = False) -> None:
                in_redis.extend(Lot(ring.kind, ring.tenant_id, ring.job_id.bytes) for ring in rings)

        in_redis: deque[Lot] = deque()

        async def ask_for_more() -> None:
            while True:
                await asyncio.sleep(0.005)
                if not consumer.draining and (room := min(consumer.slots.room, len(in_redis))):
                    consumer.take(Doorbell(0, tuple(in_redis.popleft() for _ in range(room))))

        running = RunningJobs()
        heartbeat = _heartbeat(database_url, running)
        supervisor = Supervisor(LoopReport, on_fatal=print)
        messenger = TellingMessenger(redis, lines[2])
        live_text = LiveText(redis, partial(keyring, Settings(database_url=database_url)))
        consumer = JobConsumer(
            handlers,
            heartbeat,
            messenger,
            live_text,
            queue=QUEUE,
            claim_sessions=lines[:1],
            settle_session=lines[1],
            aside_session=lines[2],
            objects=FileStore(Path(folder)),
            concurrency=concurrency,
            processors=1,
            window=Window(),
            controls=lambda: NONE,
            running=running,
            ring_again_seconds=RING_AGAIN_SECONDS,
            heartbeat_seconds=ENDLESS_SECONDS,  # The tests check the leases themselves.
            grace_seconds=grace_seconds,
        )
        resources.push_async_callback(supervisor.stop)
        await heartbeat.start(supervisor)
        resources.push_async_callback(heartbeat.stop)
        consumer.begin(supervisor)
        asking = asyncio.create_task(ask_for_more())
        resources.callback(asking.cancel)
        world = Consuming(database_url, consumer, heartbeat, messenger, lines[0], lines[1])
        resources.callback(world.close)
        try:
            yield world
        finally:
            await consumer.drain()
