"""Doorbells are pushed while a queue's list is short; jobs that find it long wait for the fair scheduler."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.celery.doorbell import SHORT, Doorbells, Rung, age_of, waiting_in, waiting_in_words
from infrastructure.celery.keys import NORMAL_STEP, OWN_STEPS, URGENT_STEP, list_of, service_of
from infrastructure.celery.message import MAX_JOBS_IN_A_DOORBELL, JobRef, messages_of
from infrastructure.celery.pace import Service, in_words
from infrastructure.redis import client
from infrastructure.redis.client import Redis
from infrastructure.redis.pubsub import Channel, Subscription, words_in

TENANT = UUID(int=7)


def rings(count: int, priority: int = 5, tenant_id: UUID = TENANT) -> list[JobRef]:
    return [JobRef(UUID(int=number), tenant_id, "ai.brew", "ai", priority) for number in range(count)]


def done(redis_url: str, work: Callable[[Redis, Doorbells], Awaitable[None]], service: Service | None = None) -> None:
    async def story() -> None:
        redis = client.connect(redis_url)
        if service is not None:
            said = Service(service.jobs_per_second, service.free, time.time())
            await redis.hset(service_of("ai"), "worker", in_words(said))
        await work(redis, Doorbells(redis))
        await redis.aclose()

    asyncio.run(story())


async def standing(redis: Redis) -> list[int]:
    """The number of jobs in each doorbell of the plain list."""
    return [orjson.loads(bell)["headers"]["jobs"] for bell in await redis.lrange("ai", 0, -1)]


def test_of_slow_jobs_few_are_rung_as_they_are_submitted(redis_url: str) -> None:
    async def work(redis: Redis, doorbells: Doorbells) -> None:
        assert await doorbells.ring(rings(500)) == Rung(SHORT, 500 - SHORT)
        assert await doorbells.ring(rings(500)) == Rung(0, 500)
        assert await standing(redis) == [1] * SHORT

    done(redis_url, work, Service(jobs_per_second=6.0))


def test_of_quick_jobs_many_are_rung_as_they_are_submitted(redis_url: str) -> None:
    async def work(redis: Redis, doorbells: Doorbells) -> None:
        assert (await doorbells.ring(rings(300))).withheld == 0
        assert await standing(redis) == [MAX_JOBS_IN_A_DOORBELL] * 6

    done(redis_url, work, Service(jobs_per_second=20_000.0))


def test_nothing_is_remembered_of_bells_that_are_lost(redis_url: str) -> None:
    async def work(redis: Redis, doorbells: Doorbells) -> None:
        await doorbells.ring(rings(500))
        assert (await Doorbells(redis).ring(rings(100))).bells == 0
        await redis.flushall()
        assert (await Doorbells(redis).ring(rings(1))).bells == 1, "whoever rings anew finds the list empty"

    done(redis_url, work)


def test_who_comes_behind_a_long_list_is_told_of(redis_url: str) -> None:
    async def work(redis: Redis, doorbells: Doorbells) -> None:
        await doorbells.ring(rings(500))
        heard = list[tuple[Channel, bytes] | None]()
        subscription = Subscription(redis, heard.append, Channel.OVERFLOW)
        await subscription.read()
        assert heard == [None]

        lone = JobRef(UUID(int=1), UUID(int=8), "ai.brew", "ai", 5)
        assert (await Doorbells(redis).ring([lone])).bells == 1, "it never waits for an answer"

        while len(heard) < 2:
            await subscription.read()
        told = heard[1]
        assert told is not None
        assert waiting_in(words_in(told[1])) == [("ai", NORMAL_STEP, UUID(int=8))]
        await subscription.close()

    done(redis_url, work)


def test_what_is_taken_back_is_the_newest_of_each_list(redis_url: str) -> None:
    async def work(redis: Redis, doorbells: Doorbells) -> None:
        for priority in (5, 9):
            for ring in rings(6, priority):
                await doorbells.ring([ring])
        next_ones = [await redis.lindex(list_of("ai", step), -1) for step in (NORMAL_STEP, URGENT_STEP)]

        await doorbells.trim("ai", 2)

        assert [(await doorbells.lengths(["ai"]))["ai"][step] for step in OWN_STEPS] == [2, 2, 0]
        assert [await redis.lindex(list_of("ai", step), -1) for step in (NORMAL_STEP, URGENT_STEP)] == next_ones

    done(redis_url, work)


@given(st.lists(st.tuples(st.sampled_from(["ai", "search"]), st.sampled_from(OWN_STEPS), st.uuids()), min_size=1))
def test_a_dispatcher_reads_who_waits_as_it_was_told(turns: list[tuple[str, int, UUID]]) -> None:
    assert waiting_in(waiting_in_words(turns)) == turns


def test_a_bell_tells_how_long_it_has_been_rung() -> None:
    [[bell]] = messages_of(rings(1)).values()

    assert 0 <= age_of(bell, time.time()) < 5
    assert 9 < age_of(bell, time.time() + 10) < 15
    assert age_of(b"no bell", time.time()) == 0
