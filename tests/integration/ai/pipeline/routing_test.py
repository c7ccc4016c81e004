"""A call goes to the next model when one fails, and leaves alone those that have failed too often."""

import asyncio
import statistics
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from infrastructure.ports import Refused, TryLater, Unavailable
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Deadlines
from infrastructure.settings import Settings
from tests.model_calls import Reader, opened, question
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from tests.waiting import wait_until
from workers.ai.pipeline.call import ModelCall, ModelReply
from workers.ai.pipeline.opening import Models

pytestmark = pytest.mark.anyio

LUNA, SOL, HAIKU = "gpt-6-luna", "gpt-6.1-sol", "claude-haiku-5-5"


@pytest.fixture
def tenant_id(settings: Settings) -> UUID:
    return make_tenant(settings.database)


def ask_for(tenant_id: UUID, *models: str, **fields: Any) -> ModelCall:
    return question(tenant_id, "What is said?", models=models, tried=1, **fields)


async def warmed(models: Models, tenant_id: UUID) -> None:
    """The SDKs are imported at a provider's first call."""
    for model in (LUNA, HAIKU):
        await models.ask(ask_for(tenant_id, model))


async def problem_of(asked: Awaitable[ModelReply]) -> str:
    with pytest.raises(Refused) as refused:
        await asked
    return refused.value.problem.type.rpartition("/")[2]


async def says_open(models: Models, tenant_id: UUID) -> bool:
    """An open breaker costs the job no attempt; a call that is still made and fails does."""
    with pytest.raises((Unavailable, TryLater)) as later:
        await models.ask(ask_for(tenant_id, LUNA))
    if not isinstance(later.value, TryLater):
        return False
    assert not later.value.counted
    return "five times in a row" in later.value.problem.detail


async def until_open(models: Models, tenant_id: UUID) -> None:
    """It may know of a quarter of a second ago."""
    async with asyncio.timeout(30):
        while True:
            if await says_open(models, tenant_id):
                return


async def seen(simulator: SimulatedProviders, key: SecretStr) -> list[tuple[str, str]]:
    attempts = await asyncio.to_thread(simulator.ended, key)
    return [(one["model"], one["ending"]) for one in attempts]


async def test_a_call_that_fails_goes_to_the_next_model_at_once(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    async with opened(settings) as models:
        await warmed(models, tenant_id)
        for _ in range(4):
            simulator.fault(key, "overload", provider="openai")
            reply = await models.ask(ask_for(tenant_id, LUNA, HAIKU))
            assert reply.provider == "anthropic"
            assert [one.outcome for one in reply.attempts] == ["overload", "succeeded"]
    attempts = simulator.ended(key)[2:]
    assert [one["provider"] for one in attempts] == ["openai", "anthropic"] * 4
    seconds = [later["seconds"] - one["seconds"] for one, later in zip(attempts[::2], attempts[1::2], strict=True)]
    print(f"from a refused request to the next provider's: {1e3 * statistics.median(seconds):.0f} ms")


async def test_a_failure_in_the_midst_begins_the_text_anew_elsewhere(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "error_in_stream", provider="openai", after_tokens=5)
    reader = Reader()
    async with opened(settings) as models:
        reply = await models.ask(ask_for(tenant_id, LUNA, HAIKU, listener=reader))
    assert reader.restarts == [(LUNA, "overload")]
    assert reader.text == reply.text
    assert reply.model == HAIKU


async def test_five_errors_keep_every_process_from_the_model(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "server_error", times=None, provider="openai")
    async with opened(settings) as one, opened(settings) as other:
        for models in (one, other, one, other, one):
            with pytest.raises(Unavailable):
                await models.ask(ask_for(tenant_id, LUNA))
        assert await says_open(one, tenant_id)
        await until_open(other, tenant_id)
        sent = len(await seen(simulator, key))
        for models in (one, other) * 3:
            assert await says_open(models, tenant_id)
        assert (await other.ask(ask_for(tenant_id, LUNA, HAIKU))).model == HAIKU
    assert [model for model, _ in await seen(simulator, key)][sent:] == [HAIKU]


async def test_a_short_refusal_is_waited_for_where_there_is_no_other_model(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "throttle", retry_after_seconds=0.1)
    async with opened(settings) as models:
        assert (await models.ask(ask_for(tenant_id, LUNA))).model == LUNA
    assert await seen(simulator, key) == [(LUNA, "refused"), (LUNA, "finished")]


async def test_a_long_refusal_gives_the_jobs_place_to_others_and_counts_as_no_attempt(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "throttle", retry_after_seconds=60)
    async with opened(settings) as models:
        with pytest.raises(TryLater) as later:
            await models.ask(ask_for(tenant_id, LUNA))
    assert not later.value.counted
    assert len(await seen(simulator, key)) == 1


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("quota", "model-quota-used-up"),
        ("auth", "model-key-refused"),
        ("bad_request", "model-request-refused"),
        ("decline", "content-refused"),
    ],
)
async def test_what_no_repetition_mends_fails_the_job_and_opens_no_breaker(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr, fault: str, problem: str
) -> None:
    async with opened(settings) as models:
        simulator.fault(key, fault, times=6)
        for _ in range(6):
            assert await problem_of(models.ask(ask_for(tenant_id, LUNA))) == problem
        assert (await models.ask(ask_for(tenant_id, LUNA))).model == LUNA


async def test_a_used_up_account_is_asked_for_none_of_its_other_models(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "quota", times=None, provider="openai")
    async with opened(settings) as models:
        assert (await models.ask(ask_for(tenant_id, LUNA, SOL, HAIKU))).model == HAIKU
    assert [model for model, _ in await seen(simulator, key)] == [LUNA, HAIKU]


@pytest.mark.parametrize(("fault", "seconds"), [("stall", 60), ("first_token_stall", 60), ("trickle", 0.2)])
async def test_a_model_that_stops_writing_or_hardly_writes_is_left(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr, fault: str, seconds: float
) -> None:
    async with opened(settings) as models:
        await warmed(models, tenant_id)
        simulator.fault(key, fault, provider="openai", seconds=seconds)
        call = ask_for(tenant_id, LUNA, HAIKU, listener=Reader())
        deadlines = Deadlines(first_token_seconds=2, idle_seconds=2, rate_seconds=1, min_tokens_a_second=20)
        hurried = replace(call.request, deadlines=deadlines)
        reply = await models.ask(replace(call, request=hurried))
    assert [one.outcome for one in reply.attempts] == ["timeout", "succeeded"]


async def test_a_model_without_a_key_is_passed_over_and_alone_a_clear_problem(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    keyless = settings.model_copy(update={"openai_api_key": None})
    async with opened(keyless) as models:
        assert (await models.ask(ask_for(tenant_id, LUNA, HAIKU))).model == HAIKU
        assert await problem_of(models.ask(ask_for(tenant_id, LUNA))) == "model-key-missing"


async def test_a_cancelled_call_counts_for_nothing(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "hang", provider="openai")
    async with opened(settings) as models:
        asking = asyncio.ensure_future(models.ask(ask_for(tenant_id, LUNA)))
        await asyncio.to_thread(wait_until, lambda: simulator.attempts(key), "the call has arrived")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await models.ask(ask_for(tenant_id, LUNA))).model == LUNA


async def test_a_task_has_models_of_its_own_where_the_job_names_none(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr, tmp_path: Path
) -> None:
    file = tmp_path / "models.toml"
    file.write_text(f'[tasks]\nclassify = ["{HAIKU}"]\n')
    async with opened(settings.model_copy(update={"ai_models_file": file})) as models:
        for purpose in (Purpose.CLASSIFY, Purpose.SECTION):
            await models.ask(question(tenant_id, "What is said?", purpose=purpose))
    assert [model for model, _ in await seen(simulator, key)] == [HAIKU, LUNA]
