"""What every provider with a batch interface promises: OpenAI and Anthropic."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from infrastructure.model_registry.pricing import price_of
from infrastructure.ports.ai.batches import ModelBatches, Pending, Unanswered
from infrastructure.ports.ai.errors import AuthenticationRefused, BadRequest, ContentRefused, Overloaded
from infrastructure.ports.ai.request import Lane
from infrastructure.ports.ai.response import ModelResponse
from tests.contracts.models.calling import ended, request_to
from tests.simulated_providers import ANTHROPIC, COMPATIBLE, OPENAI, Simulated, SimulatedProviders, simulated

pytestmark = pytest.mark.anyio

DAY = date(2026, 11, 30)


@pytest.fixture(params=[OPENAI, ANTHROPIC])
async def batched(
    request: pytest.FixtureRequest, simulator: SimulatedProviders, tmp_path: Path
) -> AsyncIterator[Simulated]:
    one = simulated(request.param, simulator.url, tmp_path)
    yield one
    await one.provider.close()


def batches_of(one: Simulated) -> ModelBatches:
    assert one.provider.batches is not None
    return one.provider.batches


async def test_an_answer_of_a_batch_is_one_like_any_other_at_half_the_price(
    batched: Simulated, simulator: SimulatedProviders
) -> None:
    batches, name = batches_of(batched), uuid4()
    request = replace(request_to(batched), lane=Lane.BATCH)

    batch_id = await batches.submit(request, name)
    answer = await batches.outcome(batch_id, name, batched.model)

    assert isinstance(answer, ModelResponse)
    assert answer.text
    assert answer.served_tier == "batch"
    price = price_of(answer.usage.counts, batched.registry.prices(batched.model), answer.served_tier, DAY)
    (attempt,) = await ended(simulator, batched.key)
    assert price is not None
    assert price.dollars == Decimal(attempt["dollars"])
    assert attempt["tier"] == "batch"


async def test_it_is_pending_until_the_provider_has_come_to_it_and_can_be_cancelled(tmp_path: Path) -> None:
    with SimulatedProviders() as slow:
        slow.pace(batch_seconds=3_600)
        for name in (OPENAI, ANTHROPIC):
            one = simulated(name, slow.url, tmp_path)
            batches, custom_id = batches_of(one), uuid4()
            batch_id = await batches.submit(request_to(one), custom_id)
            assert await batches.outcome(batch_id, custom_id, one.model) == Pending()
            await batches.cancel(batch_id, one.model)
            assert isinstance(await batches.outcome(batch_id, custom_id, one.model), Unanswered)
            assert slow.charged(one.key) == 0
            await one.provider.close()


async def test_a_request_that_the_provider_had_no_time_for_is_unanswered_and_costs_nothing(
    batched: Simulated, simulator: SimulatedProviders
) -> None:
    simulator.fault(batched.key, "batch_expired")
    batches, name = batches_of(batched), uuid4()

    batch_id = await batches.submit(request_to(batched), name)

    assert isinstance(await batches.outcome(batch_id, name, batched.model), Unanswered)


async def test_a_request_that_failed_in_its_batch_fails_as_it_would_have_alone(
    batched: Simulated, simulator: SimulatedProviders
) -> None:
    simulator.fault(batched.key, "server_error")
    batches, name = batches_of(batched), uuid4()
    batch_id = await batches.submit(request_to(batched), name)

    assert isinstance(await batches.outcome(batch_id, name, batched.model), Overloaded)


async def test_what_the_model_refused_to_write_in_its_batch_is_how_the_request_ended(
    batched: Simulated, simulator: SimulatedProviders
) -> None:
    simulator.fault(batched.key, "decline")
    batches, name = batches_of(batched), uuid4()
    batch_id = await batches.submit(request_to(batched), name)

    refused = await batches.outcome(batch_id, name, batched.model)

    assert isinstance(refused, ContentRefused)
    assert refused.failure.usage.counts is not None


async def test_a_batch_that_isnt_there_any_more_has_no_answer(batched: Simulated) -> None:
    outcome = await batches_of(batched).outcome("batch_of_yesterday", uuid4(), batched.model)

    assert isinstance(outcome, Unanswered)


async def test_nobody_reads_the_batch_of_another_key(batched: Simulated) -> None:
    batches, name = batches_of(batched), uuid4()
    batch_id = await batches.submit(request_to(batched), name)

    outcome = await batches.outcome(batch_id, name, batched.model, SecretStr("another"))

    assert isinstance(outcome, Unanswered)


async def test_an_unusable_key_or_a_model_without_batches_is_refused_before_anything_is_sent(
    batched: Simulated, simulator: SimulatedProviders
) -> None:
    with pytest.raises(AuthenticationRefused):
        await batches_of(batched).submit(request_to(batched), uuid4(), SecretStr("no key\n"))
    with pytest.raises(BadRequest):
        await batches_of(batched).submit(replace(request_to(batched), model="no-such-model"), uuid4())
    assert simulator.attempts(batched.key) == []


def test_a_compatible_server_has_no_batches(tmp_path: Path) -> None:
    assert simulated(COMPATIBLE, "http://127.0.0.1:9", tmp_path).provider.batches is None
