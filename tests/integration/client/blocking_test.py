"""The Python client against the real ingress, directly and over connections that break."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from uuid import uuid4

import pytest

from events.ai import DocumentProcessed
from events.envelope import CloudEvent
from events.keys import KeysRotated
from producers.client import AsyncBucatini, Bucatini, JobFailed, ProblemAnswer, ResultTimeout
from schemas.ai import ProcessDocument
from schemas.jobs import JobState
from schemas.keys import RotateKeys
from schemas.problems import Problem
from tests.integration.client.broken_way import broken_way
from tests.integration.serving import DOCUMENT, World
from tests.waiting import GUARD_SECONDS

COMMAND = ProcessDocument(title=DOCUMENT["title"], text=DOCUMENT["text"])
ROTATED = KeysRotated(old_version=1, new_version=2, rows_reencrypted=3, conflicts=0)


def test_a_result_comes_as_the_event_its_command_ends_with(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client, ThreadPoolExecutor(1) as threads:
        job = client.submit(RotateKeys(), priority=7, correlation_id=uuid4())
        waiting = threads.submit(job.result, timeout_seconds=60)
        world.succeed(job.id, ROTATED.model_dump(mode="json"))
        result: KeysRotated = waiting.result(timeout=50)

        assert result == ROTATED
        assert (job.job.priority, job.job.state) == (7, JobState.SUCCEEDED)
        assert [entry.type for entry in job.timeline().entries] == ["job.queued", "job.succeeded"]


def test_the_async_client_does_the_same(world: World) -> None:
    async def use() -> list[str]:
        async with AsyncBucatini(world.url, world.tenant().key) as client:
            job = await client.submit(RotateKeys())
            with pytest.raises(ResultTimeout):
                await job.result(timeout_seconds=0)
            await asyncio.to_thread(world.succeed, job.id, ROTATED.model_dump(mode="json"))
            assert await job.result(timeout_seconds=10) == ROTATED
            assert [one.id async for one in client.jobs.list(queue="keys")] == [job.id]
            assert (await (await client.jobs.get(job.id)).refresh()).state is JobState.SUCCEEDED
            return [event.type async for event in job.events()]

    assert asyncio.run(use()) == ["job.queued", "job.succeeded"]


def test_a_job_without_a_result_is_an_error_that_says_why(world: World) -> None:
    problem = Problem.of("unreadable", "The document can't be read", 422, "It has no text")
    with Bucatini(world.url, world.tenant().key) as client:
        failed, cancelled, waits = (client.submit(COMMAND) for _ in range(3))
        world.happen(failed.id, "job.failed", state=JobState.FAILED, problem=problem.model_dump(mode="json"))
        cancelled.cancel()
        with pytest.raises(JobFailed, match="The document can't be read: It has no text") as caught:
            failed.result(timeout_seconds=5)
        with pytest.raises(JobFailed, match="is cancelled"):
            cancelled.result(timeout_seconds=5)
        with pytest.raises(ResultTimeout):
            waits.result(timeout_seconds=1)

    assert (caught.value.problem, caught.value.job_id) == (problem, failed.id)


def test_a_no_is_one_typed_error(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as another:
        foreign = another.submit(COMMAND)
    with Bucatini(world.url, world.tenant("jobs:read").key) as client:
        with pytest.raises(ProblemAnswer) as forbidden:
            client.submit(COMMAND)
        with pytest.raises(ProblemAnswer) as unknown:
            client.jobs.get(foreign.id)
        with pytest.raises(ProblemAnswer) as unknown_stream:
            next(client.jobs.events(foreign.id))
    with Bucatini(world.url, "no-key") as stranger, pytest.raises(ProblemAnswer) as unauthenticated:
        next(stranger.events.follow())

    names = [caught.value.problem.name for caught in (forbidden, unknown, unknown_stream, unauthenticated)]
    assert names == ["scope-missing", "not-found", "not-found", "unauthenticated"]


def test_a_lost_answer_never_makes_two_jobs(world: World) -> None:
    with (
        broken_way(world, lambda number: 0 if number < 3 else None) as url,
        Bucatini(url, world.tenant().key) as client,
    ):
        job = client.submit(COMMAND)

        assert world.stored()["jobs"] == 1
        assert world.database.execute("SELECT id FROM jobs").fetchone() == (job.id,)


def test_a_users_own_key_is_sent(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client:
        assert client.submit(COMMAND, idempotency_key="a").id == client.submit(COMMAND, idempotency_key="a").id
        with pytest.raises(ProblemAnswer, match="idempotency-key-reused"):
            client.submit(RotateKeys(), idempotency_key="a")


def test_a_jobs_events_come_once_each_over_connections_that_break(world: World) -> None:
    tenant = world.tenant()
    dice = random.Random(4711)
    with (
        broken_way(world, lambda number: dice.randint(300, 4_000)) as url,
        Bucatini(url, tenant.key) as client,
        Bucatini(world.url, tenant.key) as direct,
        ThreadPoolExecutor(1) as threads,
    ):
        job_id = direct.submit(COMMAND).id
        following = threads.submit(lambda: list(client.jobs.events(job_id)))
        for _ in range(60):
            world.happen(job_id, "job.retrying")
        world.succeed(job_id, {})
        seqs = [_seq(event) for event in following.result(timeout=GUARD_SECONDS)]

    assert seqs == list(range(1, 63))


def test_all_events_come_once_each_over_connections_that_break(world: World) -> None:
    tenant = world.tenant()
    dice = random.Random(4711)
    job_id = world.submit(tenant)
    begin = next(world.frames(tenant)).id

    async def follow(url: str) -> list[int]:
        heard: list[int] = []
        async with AsyncBucatini(url, tenant.key) as client:
            async for event in client.events.follow("job.ret*", last_event_id=begin):
                heard.append(_seq(event))
                if len(heard) == 60:
                    break
        return heard

    with broken_way(world, lambda number: dice.randint(300, 4_000)) as url, ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: asyncio.run(follow(url)))
        for _ in range(60):
            world.happen(job_id, "job.retrying")
        seqs = following.result(timeout=GUARD_SECONDS)

    assert seqs == list(range(2, 62))


def test_many_jobs_are_followed_over_one_connection_that_breaks(world: World) -> None:
    tenant = world.tenant()
    dice = random.Random(4711)
    with (
        broken_way(world, lambda number: dice.randint(1_000, 6_000)) as url,
        Bucatini(url, tenant.key) as client,
        Bucatini(world.url, tenant.key) as direct,
        ThreadPoolExecutor(1) as threads,
    ):
        jobs = [direct.submit(COMMAND).id for _ in range(5)]
        following = threads.submit(lambda: list(client.events.watch(jobs)))
        for job_id in jobs * 10:
            world.happen(job_id, "job.retrying")
        for job_id in jobs:
            world.succeed(job_id, {})
        heard = following.result(timeout=GUARD_SECONDS)

    for job_id in jobs:
        assert [_seq(event) for event in heard if event.subject == str(job_id)] == list(range(1, 13))


def test_the_async_client_follows_types_and_hears_a_no(world: World) -> None:
    tenant = world.tenant()

    async def follow() -> CloudEvent:
        async with AsyncBucatini(world.url, tenant.key) as client:
            with pytest.raises(ProblemAnswer, match="not-found"):
                await anext(client.events.watch([uuid4()]))
            following = client.events.watch(types=["job.queued"])
            first = asyncio.ensure_future(anext(following))
            while not first.done():
                await client.submit(COMMAND)
                await asyncio.wait([first], timeout=0.1)
            return first.result()

    assert asyncio.run(follow()).type == "job.queued"
    with Bucatini(world.url, "no-key") as stranger, pytest.raises(ProblemAnswer, match="unauthenticated"):
        next(stranger.events.watch(types=["*"]))


def test_times_travel_with_their_zone(world: World) -> None:
    run_at = datetime(2100, 1, 1, 12, tzinfo=UTC)
    with Bucatini(world.url, world.tenant().key) as client:
        job = client.submit(COMMAND, run_at=run_at)

    assert (job.job.state, job.job.run_at) == (JobState.SCHEDULED, run_at)


def test_a_list_is_fetched_page_by_page(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client:
        made = [client.submit(COMMAND).id for _ in range(7)]

        assert [job.id for job in client.jobs.list(limit=3)] == made[::-1]
        assert [job.id for job in islice(client.jobs.list(limit=3), 2)] == made[:-3:-1]


def test_the_result_of_reading_a_document_is_typed(world: World) -> None:
    """Checked by the type checker as well: `result` is a DocumentProcessed, not a dictionary."""
    with Bucatini(world.url, world.tenant().key) as client:
        job = client.submit(COMMAND)
        world.succeed(job.id, _processed().model_dump(mode="json"))
        result = job.result(timeout_seconds=60)

    assert result.language.code == "en"


def _seq(event: CloudEvent) -> int:
    return int(event.id.rpartition(":")[2])


def _processed() -> DocumentProcessed:
    return DocumentProcessed.model_validate(
        {
            "title": "Lease",
            "document_id": None,
            "document_type": None,
            "provider": {"name": "offline", "method": "extractive"},
            "language": {"code": "en", "confidence": 1.0, "source": "detected"},
            "size": {"characters": 38, "words": 9, "sentences": 1},
            "summary": [],
            "key_phrases": [],
            "dates": [],
            "amounts": [],
            "parties": [],
            "defined_terms": [],
            "left_out": {},
        }
    )
