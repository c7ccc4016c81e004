"""Batches and schedules through the Python client, blocking and asyncio."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from producers.client import AsyncBucatini, BatchJob, Bucatini, ProblemAnswer, ResultTimeout
from schemas.ai import ProcessDocument
from schemas.batches import ItemOutcome
from schemas.explanations import UnderCap
from schemas.jobs import JobState
from schemas.keys import RotateKeys
from schemas.schedules import Overlap, ScheduleDefinition
from tests.integration.serving import DOCUMENT, World

COMMAND = ProcessDocument(title=DOCUMENT["title"], text=DOCUMENT["text"])
NIGHTLY = ScheduleDefinition(
    name="nightly", cron="30 2 * * *", timezone="Europe/Berlin", kind="keys.rotate", command={}
)


def test_many_commands_are_submitted_followed_and_cancelled(world: World) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    with Bucatini(world.url, world.tenant().key) as client:
        batch = client.batches.submit([COMMAND, BatchJob(RotateKeys(), priority=9, run_at=later)], name="monday")
        jobs = {job.kind: job for job in batch.jobs()}
        with pytest.raises(ResultTimeout, match="0%"):
            batch.wait(timeout_seconds=0)
        cancelled = batch.cancel()
        events = [event.type for event in client.batches.events(batch.id)]

    assert [one.outcome for one in batch.outcomes] == [ItemOutcome.ACCEPTED] * 2
    assert (jobs["keys.rotate"].priority, jobs["keys.rotate"].state) == (9, JobState.SCHEDULED)
    assert (cancelled.name, cancelled.by_state) == ("monday", {JobState.CANCELLED: 2})
    assert events == ["job.waiting", "job.cancelled"]


def test_the_async_client_submits_many_as_well(world: World) -> None:
    async def use() -> tuple[int, UUID, UUID]:
        async with AsyncBucatini(world.url, world.tenant().key) as client:
            batch = await client.batches.submit([COMMAND] * 3, idempotency_key="monday")
            again = await client.batches.submit([COMMAND] * 3, idempotency_key="monday")
            async for job in batch.jobs():
                await asyncio.to_thread(world.succeed, job.id, {})
            await client.jobs.get((await batch.cancel()).id)
            return (await batch.progress()).by_state[JobState.SUCCEEDED], batch.id, again.id

    succeeded, first, second = asyncio.run(use())
    assert succeeded == 3
    assert first == second


def test_a_batchs_and_a_schedules_jobs_share_a_cap_with_single_ones(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client:
        capped = BatchJob(COMMAND, concurrency_key="acme", concurrency_limit=2)
        batch = client.batches.submit([capped, COMMAND])
        schedule = client.schedules.create(
            NIGHTLY.model_copy(update={"concurrency_key": "acme", "concurrency_limit": 2})
        )
        run = client.schedules.run(schedule.id)
        alone = client.submit(COMMAND, concurrency_key="acme", concurrency_limit=2)
        ids = [*(one.job_id for one in batch.outcomes), run.id, alone.id]
        reasons = [client.jobs.why(one).reason for one in ids if one is not None]

    assert schedule.definition().concurrency_key == "acme"
    assert [isinstance(one, UnderCap) and (one.key, one.limit, one.position) for one in reasons] == [
        ("acme", 2, 1),
        False,
        ("acme", 2, 2),
        ("acme", 2, 3),
    ]


def test_schedules_are_kept_by_the_client(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client:
        made = client.schedules.create(NIGHTLY)
        changed = client.schedules.replace(made.id, made.definition().model_copy(update={"overlap": Overlap.QUEUE}))
        paused, resumed = client.schedules.pause(made.id), client.schedules.resume(made.id)
        upcoming = client.schedules.upcoming(made.id, count=2)
        job = client.schedules.run(made.id)
        listed = [one.id for one in client.schedules.list()]
        client.schedules.delete(made.id)
        with pytest.raises(ProblemAnswer, match="not-found"):
            client.schedules.get(made.id)

    assert (changed.overlap, changed.definition().cron) == (Overlap.QUEUE, NIGHTLY.cron)
    assert paused.next_at is None
    assert resumed.next_at == upcoming[0]
    assert job.causation_id == made.id
    assert listed == [made.id]


def test_the_async_client_keeps_schedules_as_well(world: World) -> None:
    async def use() -> list[str]:
        async with AsyncBucatini(world.url, world.tenant().key) as client:
            made = await client.schedules.create(NIGHTLY)
            assert (await client.schedules.get(made.id)) == made
            assert len(await client.schedules.upcoming(made.id, 3)) == 3
            assert (await client.schedules.run(made.id)).kind == "keys.rotate"
            assert (await client.schedules.pause(made.id)).paused_at is not None
            assert (await client.schedules.resume(made.id)).paused_at is None
            await client.schedules.replace(made.id, NIGHTLY.model_copy(update={"name": "weekly"}))
            names = [one.name async for one in client.schedules.list()]
            await client.schedules.delete(made.id)
            return names

    assert asyncio.run(use()) == ["weekly"]
