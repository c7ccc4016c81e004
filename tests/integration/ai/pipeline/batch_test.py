"""A job with a day's time is answered by a provider's batch, over as many runs as that takes, and paid for once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr

from infrastructure.ports import Refused, TryLater
from infrastructure.ports.ai.ledger import AttemptEnd, NewAttempt
from infrastructure.ports.ai.request import Lane
from infrastructure.settings import Settings
from tests.model_calls import MODEL, opened, question
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from tests.waiting import wait_until
from workers.ai.pipeline.call import ModelCall
from workers.ai.pipeline.opening import Models

pytestmark = pytest.mark.anyio

CLAUDE = "claude-haiku-5-5"


@pytest.fixture
async def models(settings: Settings) -> AsyncIterator[Models]:
    async with opened(settings) as opened_models:
        yield opened_models


@pytest.fixture
def tenant_id(settings: Settings) -> UUID:
    return make_tenant(settings.database)


def call_of(tenant_id: UUID, left: timedelta, *, model: str = MODEL, **fields: object) -> ModelCall:
    deadline = datetime.now(UTC) + left
    job_id = fields.pop("job_id", None) or uuid4()
    call = question(tenant_id, f"Write about {job_id}.", models=(model,), job_id=job_id, job_attempt=1)
    return replace(call, deadline=deadline, **fields)  # type: ignore[arg-type]


async def rows_of(models: Models, call: ModelCall) -> list[tuple[NewAttempt, AttemptEnd | None]]:
    assert call.job_id is not None
    return list(await models.ledger.attempts_of_job(call.tenant_id, call.job_id))


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
async def test_what_has_two_days_waits_in_a_batch_and_costs_half(
    models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr, model: str
) -> None:
    call = call_of(tenant_id, timedelta(days=2), model=model)

    with pytest.raises(TryLater) as later:
        await models.ask(call)
    reply = await models.ask(call)

    assert not later.value.counted
    assert reply.text
    ((row, end),) = await rows_of(models, call)
    assert (row.lane, row.model) == (Lane.BATCH, model)
    assert end is not None
    assert end.outcome == "succeeded"
    assert end.cost_usd == simulator.charged(key)
    assert end.shadow_usd is not None
    assert end.cost_usd * 2 == end.shadow_usd
    assert [one.cost_usd for one in reply.attempts] == [end.cost_usd]


async def test_a_job_that_runs_again_asks_for_its_batch_and_submits_no_other(
    settings: Settings, tenant_id: UUID
) -> None:
    with SimulatedProviders() as slow:
        slow.pace(batch_seconds=3_600)
        elsewhere = settings.model_copy(update={"openai_base_url": f"{slow.url}/v1"})
        call = call_of(tenant_id, timedelta(days=2))
        for _ in range(3):  # Each time by another process, for all that the job knows.
            async with opened(elsewhere) as models:
                with pytest.raises(TryLater):
                    await models.ask(call)
        assert settings.openai_api_key is not None
        assert len(slow.attempts(settings.openai_api_key)) == 1


async def test_what_a_batch_brought_no_answer_for_is_asked_in_another_lane(
    models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "batch_expired")
    call = call_of(tenant_id, timedelta(days=2))

    with pytest.raises(TryLater):
        await models.ask(call)
    reply = await models.ask(call)

    assert reply.text
    assert [(row.lane, end.outcome) for row, end in await rows_of(models, call) if end] == [
        (Lane.BATCH, "unanswered"),
        (Lane.FLEX, "succeeded"),
    ]
    ends = [end for _, end in await rows_of(models, call)]
    assert sum((end.cost_usd or Decimal(0) for end in ends if end), Decimal(0)) == simulator.charged(key)


async def test_when_time_runs_out_the_batch_is_cancelled_and_the_call_made_in_real_time(
    settings: Settings, tenant_id: UUID
) -> None:
    with SimulatedProviders() as slow:
        slow.pace(batch_seconds=3_600)
        elsewhere = settings.model_copy(update={"openai_base_url": f"{slow.url}/v1"})
        async with opened(elsewhere) as models:
            call = call_of(tenant_id, timedelta(days=2))
            with pytest.raises(TryLater):
                await models.ask(call)
            late = replace(call, deadline=datetime.now(UTC) + timedelta(minutes=5))
            reply = await models.ask(late)
            lanes = [row.lane for row, _ in await rows_of(models, call)]
            ends = [end for _, end in await rows_of(models, call)]
        assert reply.text
        assert lanes == [Lane.BATCH, Lane.REALTIME]
        assert settings.openai_api_key is not None
        assert sum((end.cost_usd or Decimal(0) for end in ends if end), Decimal(0)) == slow.charged(
            settings.openai_api_key
        )


async def test_a_request_that_its_batch_failed_is_asked_again_in_another_lane(
    models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "server_error")
    call = call_of(tenant_id, timedelta(days=2))

    with pytest.raises(TryLater):
        await models.ask(call)

    assert (await models.ask(call)).text
    assert [end.outcome for _, end in await rows_of(models, call) if end] == ["overload", "succeeded"]


async def test_what_waits_in_a_batch_counts_as_spent(
    models: Models, settings: Settings, simulator: SimulatedProviders, key: SecretStr
) -> None:
    poor = make_tenant(settings.database, ai_usd_a_day="0.0004")
    with pytest.raises(TryLater):
        await models.ask(call_of(poor, timedelta(days=2)))

    with pytest.raises(Refused, match="may spend"):
        await models.ask(call_of(poor, timedelta(days=2)))

    assert len(simulator.attempts(key)) == 1


async def test_nothing_is_kept_of_a_batch_whose_answer_was_fetched(
    models: Models, settings: Settings, tenant_id: UUID
) -> None:
    call = call_of(tenant_id, timedelta(days=2))
    with pytest.raises(TryLater):
        await models.ask(call)
    await models.ask(call)

    with psycopg.connect(settings.database) as connection:
        found = connection.execute("SELECT count(*) FROM ai_batches WHERE tenant_id = %s", (tenant_id,)).fetchone()
    assert found == (0,)


def _job_ended(settings: Settings, call: ModelCall, state: str = "cancelled") -> None:
    with psycopg.connect(settings.database) as connection:
        connection.execute(
            "INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command) "
            "VALUES (%s, %s, 'ai.generate_document', 'ai', %s, 5, '{}')",
            (call.job_id, call.tenant_id, state),
        )


def _tickets(settings: Settings, call: ModelCall) -> int:
    with psycopg.connect(settings.database) as connection:
        found = connection.execute("SELECT count(*) FROM ai_batches WHERE job_id = %s", (call.job_id,)).fetchone()
    assert found is not None
    return int(found[0])


async def look_after(models: Models) -> None:
    (loop,) = [one for one in models.loops if one.name == "batches of ended jobs"]
    await loop.step()


async def looked_after(models: Models, settings: Settings, call: ModelCall) -> None:
    """Once its ticket is gone: the loop runs by itself as well."""
    await look_after(models)
    await asyncio.to_thread(wait_until, lambda: not _tickets(settings, call), "its batch is ended")


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
async def test_the_batch_of_a_cancelled_job_is_cancelled_and_nothing_of_it_is_left(
    settings: Settings, tenant_id: UUID, key: SecretStr, model: str
) -> None:
    with SimulatedProviders() as slow:
        slow.pace(batch_seconds=3_600)
        elsewhere = settings.model_copy(update={"openai_base_url": f"{slow.url}/v1", "anthropic_base_url": slow.url})
        async with opened(elsewhere) as models:
            call, other = (call_of(tenant_id, timedelta(days=2), model=model) for _ in range(2))
            for one, state in ((call, "cancelled"), (other, "retrying")):
                with pytest.raises(TryLater):
                    await models.ask(one)
                _job_ended(settings, one, state)
            await looked_after(models, settings, call)
            ((_, end),) = await rows_of(models, call)
            ((_, others),) = await rows_of(models, other)
        endings = [one["ending"] for one in slow.attempts(key)]
    assert end is not None
    assert (end.outcome, end.cost_usd, _tickets(settings, call)) == ("unanswered", Decimal(0), 0)
    assert (others, _tickets(settings, other)) == (None, 1)
    assert sorted(endings) == ["refused", "running"]


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
async def test_what_the_batch_of_a_cancelled_job_had_written_by_then_is_in_the_ledger(
    models: Models, settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr, model: str
) -> None:
    call = call_of(tenant_id, timedelta(days=2), model=model)
    with pytest.raises(TryLater):
        await models.ask(call)
    _job_ended(settings, call)

    await looked_after(models, settings, call)

    ((row, end),) = await rows_of(models, call)
    assert end is not None
    assert (row.lane, end.outcome, end.cost_usd) == (Lane.BATCH, "succeeded", simulator.charged(key))
    assert end.cost_usd
    assert end.shadow_usd == 2 * end.cost_usd
    assert _tickets(settings, call) == 0


async def test_a_batch_whose_provider_never_tells_is_given_up_after_its_day(
    settings: Settings, tenant_id: UUID
) -> None:
    call = call_of(tenant_id, timedelta(days=2))
    async with opened(settings) as models:
        with pytest.raises(TryLater):
            await models.ask(call)
    _job_ended(settings, call, "dead")
    async with opened(settings.model_copy(update={"openai_base_url": "http://127.0.0.1:9/v1"})) as apart:
        await look_after(apart)
        assert ([end for _, end in await rows_of(apart, call)], _tickets(settings, call)) == ([None], 1)
        with psycopg.connect(settings.database, autocommit=True) as connection:
            connection.execute("UPDATE ai_batches SET looked_at = NULL, submitted_at = now() - interval '27 hours'")
        await looked_after(apart, settings, call)
        ((row, end),) = await rows_of(apart, call)
    assert end is not None
    assert (end.outcome, end.accepted, end.cost_usd, _tickets(settings, call)) == ("abandoned", True, None, 0)
    assert row.reserved_usd, "it counts with what was reserved for it"


async def test_a_job_with_an_hour_goes_the_flexible_way(
    models: Models, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    call = call_of(tenant_id, timedelta(hours=1))
    assert (await models.ask(call)).text
    ((row, end),) = await rows_of(models, call)
    assert row.lane is Lane.FLEX
    assert end is not None
    assert end.served_tier == "flex"
    assert end.cost_usd == simulator.charged(key)
