"""The real consumer where its slots are few: what it claims, what it hands back, and that nobody is charged for waiting."""

import asyncio
from typing import ClassVar

import pytest

from tests.protocol.consumer_test import WALK, Walk, walk
from tests.protocol.consuming import consuming
from workers.runtime.handler import Handler


@pytest.fixture
def urls(database_url: str, redis_url: str) -> tuple[str, str]:
    return database_url, redis_url


def test_a_claimed_job_that_waits_too_long_for_a_processor_is_handed_back_uncharged(urls: tuple[str, str]) -> None:
    class Reckon(Walk):
        kind: ClassVar[str] = "probe.reckon"
        needs_processor: ClassVar[bool] = True
        time_limit_seconds: ClassVar[float] = 10.0

    async def told() -> None:
        async with consuming(*urls, Handler(Reckon, walk)) as world:
            job_ids = await world.submit(*[Reckon(seconds=1.6) for _ in range(3)])
            # As after a thousand quick ones: it thinks that these are.
            world.consumer.slots.of(Reckon.kind).rate.per_second = 1_000.0
            world.ring(Reckon, job_ids)
            await world.until_in("running", *job_ids)
            (_, *handed_back) = job_ids
            await world.until_in("queued", *handed_back)
            assert world.read("SELECT attempt, count(*) FROM jobs GROUP BY attempt ORDER BY attempt") == [
                (0, 2),
                (1, 1),
            ]
            assert all(world.timeline(job_id)[-1] == "job.released" for job_id in handed_back)

            world.ring(Reckon, handed_back)
            await world.until_in("succeeded", *job_ids)
            assert world.read("SELECT DISTINCT attempt FROM jobs") == [(1,)]

    asyncio.run(told())


def test_of_a_kind_that_says_so_no_more_run_at_a_time_and_the_others_are_not_held_up(urls: tuple[str, str]) -> None:
    class Amble(Walk):
        kind: ClassVar[str] = "probe.amble"

    async def told() -> None:
        async with consuming(*urls, WALK, Handler(Amble, walk, most_at_once=2)) as world:
            slow = await world.submit(*[Amble(seconds=0.5) for _ in range(6)])
            quick = await world.submit(*[Walk() for _ in range(6)])
            world.ring(Amble, slow)
            world.ring(Walk, quick)
            await world.until_in("succeeded", *quick)
            assert world.read("SELECT count(*) FROM jobs WHERE state = 'running'")[0][0] <= 2
            await world.until_in("succeeded", *slow)

    asyncio.run(told())
