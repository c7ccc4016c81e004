"""What a job has paid for is there for its next run, sealed, until it is used or the job has ended."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
from pydantic import SecretStr

from infrastructure.ports import TryLater, Unavailable
from infrastructure.ports.ai.checkpoints import Checkpoint
from infrastructure.ports.ai.response import FinishReason
from infrastructure.postgres.ai.retention import forget_unused_answers
from infrastructure.postgres.session import Role, connect
from infrastructure.settings import Settings
from tests.model_calls import MODEL, Reader, opened, question
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from workers.ai.pipeline.call import CacheOutcome, ModelCall, ModelReply
from workers.ai.pipeline.opening import Models

pytestmark = pytest.mark.anyio


@pytest.fixture
async def models(settings: Settings) -> AsyncIterator[Models]:
    async with opened(settings) as opened_models:
        yield opened_models


@pytest.fixture
def tenant_id(settings: Settings) -> UUID:
    return make_tenant(settings.database)


def call_of(tenant_id: UUID, text: str = "What is said?", **fields: Any) -> ModelCall:
    given: dict[str, Any] = {"job_id": uuid4(), "job_attempt": 1, "section": 0, **fields}
    return question(tenant_id, text, models=(MODEL,), **given)


@contextmanager
def _rows(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(settings.database, autocommit=True) as connection:
        yield connection


async def as_by_the_next_run(settings: Settings, call: ModelCall, **fields: Any) -> ModelReply:
    """By another process, to which Redis tells nothing."""
    with redis.Redis.from_url(settings.redis) as client:
        client.flushall()
    async with opened(settings) as models:
        return await models.ask(replace(call, job_attempt=2, **fields))


async def test_the_next_run_of_a_job_gets_the_answer_that_was_paid_for(
    settings: Settings, models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    call = call_of(tenant_id)
    first = await models.ask(call)
    listener = Reader()

    again = await as_by_the_next_run(settings, call, listener=listener)

    assert (again.text, again.provider, again.served_model) == (first.text, first.provider, first.served_model)
    assert (again.cache, again.attempts, listener.text) == (CacheOutcome.PAID, (), first.text)
    assert len(simulator.ended(key)) == 1
    assert call.job_id is not None
    assert len(await models.ledger.attempts_of_job(tenant_id, call.job_id)) == 1


async def test_a_question_that_is_asked_again_for_another_answer_has_each_of_them_once(
    settings: Settings, models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    call = call_of(tenant_id)
    for number in range(3):
        simulator.fault(key, "answer", text=f"answer {number}")
    tries = [replace(call, tried=number) for number in range(3)]
    for one in tries:
        await models.ask(one)

    assert [(await as_by_the_next_run(settings, one)).text for one in tries] == [
        f"answer {number}" for number in range(3)
    ]
    assert len(simulator.ended(key)) == 3


async def test_an_answer_that_was_cut_is_kept_as_such_and_one_that_failed_is_not(
    settings: Settings, models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    cut = call_of(tenant_id, max_output_tokens=2)
    reply = await models.ask(cut)
    assert reply.finish_reason is FinishReason.MAX_TOKENS
    failed = call_of(tenant_id, "And what else?")
    simulator.fault(key, "clean_cut")
    with pytest.raises(Unavailable):
        await models.ask(replace(failed, listener=Reader()))
    before = len(simulator.ended(key))

    again = await as_by_the_next_run(settings, cut)
    assert (again.text, again.finish_reason) == (reply.text, FinishReason.MAX_TOKENS)
    assert len(simulator.ended(key)) == before
    assert (await as_by_the_next_run(settings, failed)).cache is CacheOutcome.MISS
    assert (await as_by_the_next_run(settings, replace(cut, job_id=uuid4()))).cache is CacheOutcome.MISS


async def test_another_job_of_the_tenant_that_asked_the_same_shares_it_though_the_cache_never_had_it(
    settings: Settings, models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    call = call_of(tenant_id)
    await models.ask(call)

    shared = await as_by_the_next_run(settings, call_of(tenant_id))
    stranger = await as_by_the_next_run(settings, call_of(make_tenant(settings.database)))

    assert [one.outcome for one in shared.attempts] == ["cached"]
    assert (shared.cache, stranger.cache) == (CacheOutcome.PAID, CacheOutcome.MISS)
    assert len(simulator.ended(key)) == 2


async def test_what_comes_from_a_batch_is_paid_once_too(
    settings: Settings, models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    call = call_of(tenant_id, deadline=datetime.now(UTC) + timedelta(days=2))
    with pytest.raises(TryLater):
        await models.ask(call)
    first = await models.ask(call)

    assert (await as_by_the_next_run(settings, call)).text == first.text
    assert len(simulator.attempts(key)) == 1


async def test_nobody_can_read_it_and_it_goes_with_its_use_or_its_job(
    settings: Settings, models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "answer", text="Zyzzyva", times=3)
    used, running, ended = (call_of(tenant_id, f"Number {number}?") for number in range(3))
    for call in (used, running, ended):
        await models.ask(call)
    with _rows(settings) as rows:
        for call, state in ((running, "running"), (ended, "cancelled")):
            rows.execute(
                "INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command) "
                "VALUES (%s, %s, 'ai.generate_document', 'ai', %s, 5, '{}')",
                (call.job_id, tenant_id, state),
            )
        contents = [content for (content,) in rows.execute("SELECT content FROM ai_answers").fetchall()]
        assert len(contents) == 3
        assert all(b"Zyzzyva" not in content for content in contents)

        assert used.job_id is not None
        await models.checkpoints.keep(tenant_id, used.job_id, Checkpoint(0, {"text": "Zyzzyva"}))
        left = {job_id for (job_id,) in rows.execute("SELECT job_id FROM ai_answers").fetchall()}
        assert left == {running.job_id, ended.job_id}
        async with await connect(settings.database, Role.SYSTEM, "test") as system:
            assert await forget_unused_answers(system) == 1
        assert rows.execute("SELECT job_id FROM ai_answers").fetchall() == [(running.job_id,)]


async def test_of_a_tenant_that_is_being_erased_nothing_is_kept(
    settings: Settings, models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    listener = Reader()
    simulator.fault(key, "slow", seconds=0.2)
    call = call_of(tenant_id, listener=listener)
    with _rows(settings) as rows:

        class Erasing(Reader):
            def write(self, delta: str) -> None:
                super().write(delta)
                rows.execute("UPDATE tenants SET state = 'erasing' WHERE id = %s", (tenant_id,))

        await models.ask(replace(call, listener=Erasing()))
        assert rows.execute("SELECT count(*) FROM ai_answers").fetchone() == (0,)
