"""The real consumer at the protocol's awkward moments: answers that are lost, runs that are ended before they begin,
suspects in line, values that can't be stored, a PostgreSQL that takes no writes for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ClassVar, TypeVar

import psycopg
import pytest

from events.envelope import DomainEvent
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import sweep
from infrastructure.postgres.jobs.sweep import Verdict
from infrastructure.postgres.session import PostgresSession, Role
from kinds.run import AwaitChildren, Run
from schemas.commands import Command
from tests.protocol.consuming import CONCURRENCY, SOON_SECONDS, Consuming, consuming
from workers.runtime.consumer import JobConsumer
from workers.runtime.handler import Answer, Handler
from workers.runtime.running.runner import MAX_UNSETTLED
from workers.runtime.settling.outcomes import Stop

T = TypeVar("T")


class Walk(Command):
    kind: ClassVar[str] = "probe.walk"
    queue: ClassVar[str] = "ai"
    time_limit_seconds: ClassVar[float] = 1.0
    max_attempts: ClassVar[int] = 1
    seconds: float = 0.0
    says: str = ""


class Walked(DomainEvent):
    type: ClassVar[str] = "probe.walked"
    says: tuple[str, ...] = ()


async def walk(command: Walk, run: Run) -> Answer:
    with suppress(TimeoutError):
        async with asyncio.timeout(command.seconds):
            await asyncio.Event().wait()
    return Walked(says=(command.says,))


async def _mumble(command: Walk, run: Run) -> Answer:
    return Walked(says=("a lone \ud800 surrogate",))


async def _mutter(command: Walk, run: Run) -> Answer:
    return Walked(says=("a nul \x00 character",))


async def _complain(command: Walk, run: Run) -> Answer:
    raise Unavailable("a nul \x00 character")


WALK = Handler(Walk, walk)
Handle = Callable[[Walk, Run], Awaitable[Answer]]
Story = Callable[[Consuming], Awaitable[T]]


@pytest.fixture
def urls(database_url: str, redis_url: str) -> tuple[str, str]:
    return database_url, redis_url


def _tell(urls: tuple[str, str], story: Story[T], *handlers: Handler[Walk]) -> T:
    async def told() -> T:
        async with consuming(*urls, *(handlers or (WALK,))) as world:
            return await story(world)

    return asyncio.run(told())


def test_claiming_goes_on_after_so_much_was_unsettled_that_it_had_to_stop(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        job_ids = await world.submit(*[Walk()] * (MAX_UNSETTLED + 200))

        def all_it_may_hold() -> bool:
            claimed = world.read("SELECT count(*) FROM jobs WHERE state <> 'queued'")
            return claimed == [(MAX_UNSETTLED + CONCURRENCY,)]

        world.settle_session.then = lambda: world.until(all_it_may_hold, "it has claimed all it may hold")
        world.ring(Walk, job_ids)
        await world.until_in("succeeded", *job_ids)

    _tell(urls, story)


def test_a_claim_whose_answer_was_lost_is_handed_back_and_is_no_attempt(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        job_ids = await world.submit(Walk())
        world.claim_line.answers_to_lose = 1
        await asyncio.wait_for(world.ring(Walk, job_ids), SOON_SECONDS)
        assert world.state(job_ids[0]) == "running"

        await world.consumer.leases.check()
        assert world.state(job_ids[0]) == "running", "one look isn't enough: its claim may be under way"
        await world.consumer.leases.check()

        await world.until_in("queued", *job_ids)
        assert world.read("SELECT attempt FROM jobs") == [(0,)]
        world.ring(Walk, job_ids)
        await world.until_in("succeeded", *job_ids)

    _tell(urls, story)


def test_an_end_whose_answer_was_lost_is_not_called_discarded(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        job_ids = await world.submit(Walk())
        world.settle_session.answers_to_lose = 1
        await asyncio.wait_for(world.ring(Walk, job_ids), SOON_SECONDS)
        await world.until_all_is_told()
        assert world.timeline(job_ids[0]) == ["job.queued", "job.started", "probe.walked", "job.succeeded"]

    _tell(urls, story)


def test_a_parent_is_resumed_though_the_answer_to_its_childs_end_was_lost(urls: tuple[str, str]) -> None:
    class Lead(Command):
        kind: ClassVar[str] = "probe.lead"
        queue: ClassVar[str] = "ai"

    async def lead(command: Lead, run: Run) -> Answer:
        return Walked() if run.children else AwaitChildren((Walk(),))

    async def told() -> None:
        async with consuming(*urls, WALK, Handler(Lead, lead, awaits_children=True)) as world:
            (parent,) = await world.submit(Lead())
            world.ring(Lead, [parent])
            await world.until_in("waiting", parent)
            ((child,),) = world.read("SELECT id FROM jobs WHERE parent_id = %s", parent)
            world.settle_session.answers_to_lose = 1
            world.ring(Walk, [child])
            await world.until_in("succeeded", child)
            await world.until(
                lambda: world.state(parent) != "waiting", "the parent is resumed, not swept up much later"
            )

    asyncio.run(told())


@pytest.mark.parametrize("reason", [Stop.CANCELLED, Stop.LEASE_LOST, Stop.DRAINING, Stop.REVOKED])
def test_a_run_that_is_ended_before_its_first_step_leaves_nothing_behind(urls: tuple[str, str], reason: Stop) -> None:
    """Python never enters a coroutine that is cancelled before it began, so no `finally` in it helps."""
    reasons = [reason]

    def stop_once(consumer: JobConsumer) -> None:
        if reasons and consumer.running:
            consumer.running.stop_all(reasons.pop())

    async def told() -> None:
        async with consuming(*urls, WALK, tells=stop_once) as world:
            job_ids = await world.submit(Walk())
            await asyncio.wait_for(world.ring(Walk, job_ids), SOON_SECONDS)
            assert not reasons, "the run was stopped right after it was launched"
            assert not world.consumer.running
            assert world.consumer.slots.worker.held == 0

    asyncio.run(told())


def test_a_worker_that_lost_its_lease_can_run_the_job_again(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        job_ids = await world.submit(Walk(seconds=0.5))
        world.ring(Walk, job_ids)
        await world.until_in("running", *job_ids)
        before = world.heartbeat.worker_id
        world.read("UPDATE workers SET dead_at = now() RETURNING id")
        await world.until(lambda: world.heartbeat.worker_id != before, "the worker has registered anew")
        await _reap(urls[0])
        await world.until_in("queued", *job_ids)
        world.ring(Walk, job_ids)
        await world.until_in("succeeded", *job_ids)

    _tell(urls, story)


def test_a_suspect_has_its_whole_time_limit_once_its_turn_has_come(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        job_ids = await world.submit(*[Walk(seconds=0.6) for _ in range(3)], crashes=1)
        world.ring(Walk, job_ids)
        await world.until_in("succeeded", *job_ids)

    _tell(urls, story)


def test_a_suspect_that_never_ends_keeps_no_other_from_its_turn(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        endless, *others = await world.submit(Walk(seconds=60.0), Walk(), Walk(), crashes=1)
        world.ring(Walk, [endless])
        await world.until_in("running", endless)
        world.ring(Walk, others)
        await world.until_in("dead", endless)
        await world.until_in("succeeded", *others)

    _tell(urls, story)


def test_a_suspect_in_line_is_handed_back_by_a_drain(urls: tuple[str, str]) -> None:
    async def told() -> None:
        async with consuming(*urls, WALK, grace_seconds=0.1) as world:
            job_ids = await world.submit(*[Walk(seconds=0.9) for _ in range(3)], crashes=1)
            world.ring(Walk, job_ids)
            await world.until_in("running", *job_ids)
            await world.consumer.drain()
            assert [world.state(job_id) for job_id in job_ids] == ["queued"] * 3
            assert world.read("SELECT DISTINCT attempt FROM jobs") == [(0,)]

    asyncio.run(told())


def test_a_suspect_in_line_can_be_revoked(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        first, second = await world.submit(Walk(seconds=0.9), Walk(), crashes=1)
        world.ring(Walk, [first, second])
        await world.until_in("running", first, second)
        world.consumer.running.stop([second], Stop.REVOKED)
        await world.until_in("cancelled", second)

    _tell(urls, story)


@pytest.mark.parametrize("handle", [_mumble, _mutter, _complain], ids=["surrogate", "nul", "error"])
def test_what_can_not_be_stored_ends_its_own_job_and_no_other(urls: tuple[str, str], handle: Handle) -> None:
    async def one_bad(command: Walk, run: Run) -> Answer:
        return await (handle(command, run) if command.says else walk(command, run))

    async def story(world: Consuming) -> None:
        bad, *good = await world.submit(Walk(says="badly"), *[Walk() for _ in range(5)])
        bell = world.ring(Walk, [bad, *good])
        await world.until_in("succeeded", *good)
        await asyncio.wait_for(bell, SOON_SECONDS)
        assert world.state(bad) in ("failed", "dead")

    _tell(urls, story, Handler(Walk, one_bad))


@pytest.mark.parametrize("meanwhile", ["claims", "settles"])
def test_a_postgresql_that_takes_no_writes_for_a_while_is_waited_for(urls: tuple[str, str], meanwhile: str) -> None:
    """A disk that is nearly full, or a standby that answers before it is promoted: both refuse to write, and get over it."""

    async def story(world: Consuming) -> None:
        job_ids = await world.submit(Walk(seconds=0.6))
        if meanwhile == "settles":
            world.ring(Walk, job_ids)
            await world.until_in("running", *job_ids)
        _refuse_writes(urls[0], refuse=True)
        if meanwhile == "claims":
            world.ring(Walk, job_ids)
        await world.until(lambda: world.claim_line.refused + world.settle_session.refused, "a write was refused")
        _refuse_writes(urls[0], refuse=False)
        world.ring(Walk, job_ids)  # as the sweeper does for a job that nobody claims
        await world.until_in("succeeded", *job_ids)

    _tell(urls, story)


NOTHING_SAID = Verdict("{}", "")


async def _reap(database_url: str) -> None:
    async with PostgresSession(database_url, Role.SYSTEM, "reaper") as session:
        await session.run(lambda connection: sweep.reap(connection, poison=NOTHING_SAID, stall=NOTHING_SAID))


def _refuse_writes(database_url: str, *, refuse: bool) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(database_url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {'on' if refuse else 'off'}")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'bucatini %'"
        )
