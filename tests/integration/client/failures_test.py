"""Failures and holds through the asyncio client; the blocking one is used by the tests of what they do."""

import asyncio

import pytest

from producers.client import AsyncBucatini, ProblemAnswer
from schemas.failures import ReplayFailures, ReplayState
from schemas.holds import NewHold
from tests.integration.jobs.failing_jobs import fail
from tests.integration.serving import World


def test_the_async_client_reads_counts_and_replays_failures(world: World) -> None:
    tenant = world.tenant()
    failed = fail(world, tenant, 5)

    async def use() -> None:
        async with AsyncBucatini(world.url, tenant.key) as client:
            (group,) = (await client.failures.groups()).groups
            told = [job.id async for job in client.failures.jobs(group.fingerprint, limit=2)]
            wanted = ReplayFailures(fingerprint=group.fingerprint, limit=3)
            counted = await client.failures.count(wanted)
            replay = await client.failures.replay(wanted)
            stands = await client.failures.progress(replay.id)

        assert sorted(told) == sorted(failed)
        assert counted.count == 3
        assert (stands.id, stands.limit, stands.state) == (replay.id, 3, ReplayState.RUNNING)

    asyncio.run(use())


def test_the_async_client_makes_and_removes_holds(world: World) -> None:
    async def use() -> None:
        async with AsyncBucatini(world.url, world.tenant().key) as client:
            hold = await client.holds.create(NewHold(kind="ai.process_document", reason="it repeats itself"))
            assert await client.holds.list() == (hold,)
            await client.holds.delete(hold.id)
            assert await client.holds.list() == ()
            with pytest.raises(ProblemAnswer, match="not-found"):
                await client.holds.delete(hold.id)

    asyncio.run(use())
