"""A lone job's bell may come before its job is committed (docs/decisions/0008), and nothing of that is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest

from kinds.run import Run
from producers.submission.submitter import new_job
from schemas.commands import Command
from tests.protocol.consuming import SOON_SECONDS, Consuming, consuming
from tests.protocol.database import TENANT
from workers.runtime.handler import Handler

UNTIL_A_CLAIM_WAITS = """
DO $$ BEGIN
  FOR n IN 1..10000 LOOP
    IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted) THEN RETURN; END IF;
    PERFORM pg_sleep(0.001);
  END LOOP;
  RAISE 'no claim has waited';
END $$
"""


class Walk(Command):
    kind: ClassVar[str] = "probe.walk"
    queue: ClassVar[str] = "ai"


async def walk(command: Walk, run: Run) -> None:
    return None


@pytest.fixture
def urls(database_url: str, redis_url: str) -> tuple[str, str]:
    return database_url, redis_url


def _tell(urls: tuple[str, str], story: Callable[[Consuming], Awaitable[None]]) -> None:
    async def told() -> None:
        async with consuming(*urls, Handler(Walk, walk)) as world:
            await story(world)

    asyncio.run(told())


def test_a_claim_waits_for_the_commit_of_a_job_that_was_rung_for_ahead(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        job = new_job(TENANT, Walk())
        async with world.committing([job]) as connection:
            ended = world.ring(Walk, [job.id], ahead=True)
            await connection.execute(UNTIL_A_CLAIM_WAITS)
        await asyncio.wait_for(ended, SOON_SECONDS)
        assert world.state(job.id) == "succeeded"

    _tell(urls, story)


def test_a_commit_that_takes_long_holds_up_no_other_job(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        late, (ready,) = new_job(TENANT, Walk()), await world.submit(Walk())
        async with world.committing([late]):
            given_up = world.ring(Walk, [late.id], ahead=True)
            await asyncio.wait_for(world.ring(Walk, [ready]), SOON_SECONDS)
            await asyncio.wait_for(given_up, SOON_SECONDS)
        assert (world.state(ready), world.state(late.id)) == ("succeeded", "queued")

    _tell(urls, story)


def test_a_bell_that_comes_before_its_jobs_statement_isnt_lost(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        job = new_job(TENANT, Walk())
        world.claim_line.then = lambda: world.store([job])
        await asyncio.wait_for(world.ring(Walk, [job.id], ahead=True), SOON_SECONDS)
        assert world.state(job.id) == "succeeded"

    _tell(urls, story)


def test_a_bell_for_a_job_that_is_never_committed_is_let_go(urls: tuple[str, str]) -> None:
    async def story(world: Consuming) -> None:
        twice = [new_job(TENANT, Walk()).id] * 2
        await asyncio.wait_for(world.ring(Walk, twice, ahead=True), SOON_SECONDS)
        job_ids = await world.submit(Walk())
        await asyncio.wait_for(world.ring(Walk, [*twice, *job_ids], ahead=True), SOON_SECONDS)
        assert world.state(job_ids[0]) == "succeeded"

    _tell(urls, story)
