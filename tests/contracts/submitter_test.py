"""What every submitter promises: the one that stores in PostgreSQL, and the one that `bucatini.testing` keeps in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import JsonValue, SecretStr

from bucatini.testing import InMemorySubmitter
from infrastructure.ports import Unstorable
from infrastructure.postgres.jobs.submission import Accepted, KeyReused, NewJob, Repeated, Submission
from infrastructure.settings import Settings
from producers.submission.submitter import ORDINARY, Concurrency, JobOptions, new_job, open_submitter
from schemas.bounds import OutOfBounds
from schemas.commands import Command

pytestmark = pytest.mark.anyio

ACME, OTHER = uuid4(), uuid4()


class Order(Command):
    kind: ClassVar[str] = "shop.order"
    queue: ClassVar[str] = "shop"
    max_attempts: ClassVar[int] = 3

    note: JsonValue = ""


@dataclass(frozen=True)
class Kept:
    """A job as the submitter keeps it."""

    kind: str
    queue: str
    priority: int
    max_attempts: int


class Submits(Protocol):
    async def submit(self, tenant_id: UUID, command: Command, options: JobOptions = ORDINARY) -> Submission: ...
    async def submit_all(self, jobs: Sequence[NewJob]) -> list[Submission]: ...


@dataclass(frozen=True)
class Adapter:
    submitter: Submits
    kept: Callable[[], Awaitable[dict[UUID, Kept]]]


@asynccontextmanager
async def in_memory(request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    submitter = InMemorySubmitter()

    async def kept() -> dict[UUID, Kept]:
        return {job.id: Kept(job.kind, job.queue, job.priority, job.max_attempts) for job in submitter.jobs}

    yield Adapter(submitter, kept)


@asynccontextmanager
async def stored(request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    database_url = request.getfixturevalue("database_url")
    redis_url = request.getfixturevalue("redis_url")
    settings = Settings(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url))

    async def kept() -> dict[UUID, Kept]:
        with psycopg.connect(database_url) as connection:
            rows = connection.execute("SELECT id, kind, queue, priority, max_attempts FROM jobs").fetchall()
        return {row[0]: Kept(*row[1:]) for row in rows}

    async with open_submitter(settings) as submitter:
        yield Adapter(submitter, kept)


@pytest.fixture(params=[in_memory, stored], ids=["in memory", "stored"])
async def adapter(request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    opened: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Adapter]] = request.param
    async with opened(request) as adapter:
        yield adapter


async def test_what_is_accepted_is_kept_with_its_options(adapter: Adapter) -> None:
    plain = await adapter.submitter.submit(ACME, Order())
    urgent = await adapter.submitter.submit(ACME, Order(), JobOptions(priority=9, max_attempts=7))

    assert isinstance(plain, Accepted)
    assert isinstance(urgent, Accepted)
    assert await adapter.kept() == {
        plain.job_id: Kept("shop.order", "shop", 5, 3),
        urgent.job_id: Kept("shop.order", "shop", 9, 7),
    }


async def test_the_same_key_and_command_give_the_same_job(adapter: Adapter) -> None:
    monday = JobOptions(idempotency_key="monday")

    outcomes = await asyncio.gather(*(adapter.submitter.submit(ACME, Order(note="a"), monday) for _ in range(5)))

    (accepted,) = [one for one in outcomes if isinstance(one, Accepted)]
    assert [one for one in outcomes if one is not accepted] == [Repeated(accepted.job_id)] * 4
    assert await adapter.submitter.submit(ACME, Order(note="b"), monday) == KeyReused(accepted.job_id)
    assert isinstance(await adapter.submitter.submit(OTHER, Order(note="b"), monday), Accepted)
    assert len(await adapter.kept()) == 2


async def test_many_are_kept_together_in_their_order(adapter: Adapter) -> None:
    jobs = [new_job(ACME, Order(note=number)) for number in range(20)]

    assert await adapter.submitter.submit_all(jobs) == [Accepted(job.id) for job in jobs]
    assert (await adapter.kept()).keys() == {job.id for job in jobs}


async def test_a_capped_job_is_said_to_wait_unless_its_time_has_not_come(adapter: Adapter) -> None:
    capped = JobOptions(concurrency=Concurrency("printer", 1))
    later = JobOptions(concurrency=capped.concurrency, run_at=datetime.now(UTC) + timedelta(hours=1))

    outcomes = [await adapter.submitter.submit(ACME, Order(), options) for options in (capped, later, ORDINARY)]

    assert [isinstance(one, Accepted) and one.capped for one in outcomes] == [True, False, False]


async def test_a_command_that_is_too_large_is_refused_and_not_kept(adapter: Adapter) -> None:
    with pytest.raises(OutOfBounds):
        await adapter.submitter.submit(ACME, Order(note="x" * 20_000_000))

    assert await adapter.kept() == {}


async def test_what_cant_be_stored_is_refused_alone(adapter: Adapter) -> None:
    with pytest.raises(Unstorable):
        await adapter.submitter.submit(ACME, Order(note=["\x00"]))
    with pytest.raises(Unstorable):
        await adapter.submitter.submit_all([new_job(ACME, Order()), new_job(ACME, Order(note=["\x00"]))])

    assert isinstance(await adapter.submitter.submit(ACME, Order(note=["\\u0000"])), Accepted)
    assert len(await adapter.kept()) == 1
