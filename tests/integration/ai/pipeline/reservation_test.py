"""What a call may cost is reserved before it is made, in the budgets of its tenant and its job."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from pydantic import SecretStr

from events.ai.budgets import BudgetReached
from events.envelope import DomainEvent
from infrastructure.ports import Refused
from infrastructure.settings import Settings
from tests.model_calls import MODEL, opened, question
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from workers.ai.pipeline.call import ModelCall
from workers.ai.pipeline.opening import Models

pytestmark = pytest.mark.anyio

RESERVED = Decimal("0.00025") + Decimal("0.0001")
"""Rather more than a call of 500 tokens of output may cost: half a dollar for a million of them."""


def call_of(tenant_id: UUID, job_id: UUID, number: int = 0, **fields: Any) -> ModelCall:
    return question(tenant_id, f"Question {number}?", models=(MODEL,), tried=1, job_id=job_id, job_attempt=1, **fields)


async def test_a_tenant_without_money_calls_no_model(
    settings: Settings, simulator: SimulatedProviders, key: SecretStr
) -> None:
    tenant_id = make_tenant(settings.database, ai_usd_a_day="0.0001")
    async with opened(settings) as models:
        with pytest.raises(Refused, match="tenant may spend today") as refused:
            await models.ask(call_of(tenant_id, uuid4()))
    assert refused.value.problem.type.endswith("ai-budget-used-up")
    assert simulator.attempts(key) == []


async def test_concurrent_calls_of_a_job_spend_no_more_than_it_may(
    settings: Settings, simulator: SimulatedProviders, key: SecretStr
) -> None:
    tenant_id, job_id = make_tenant(settings.database), uuid4()
    limit = 10 * RESERVED
    async with opened(settings) as models:

        async def ask(number: int) -> bool:
            try:
                await models.ask(call_of(tenant_id, job_id, number, max_cost_usd=limit))
            except Refused:
                return False
            return True

        answered = await asyncio.gather(*(ask(number) for number in range(200)))
    assert 10 <= sum(answered) < 200
    assert simulator.charged(key) <= limit


async def test_what_a_failed_call_didnt_cost_comes_back(
    settings: Settings, simulator: SimulatedProviders, key: SecretStr
) -> None:
    tenant_id = make_tenant(settings.database, ai_usd_a_day="0.0004")
    async with opened(settings) as models:
        simulator.fault(key, "bad_request", times=5)
        for number in range(5):
            with pytest.raises(Refused, match="doesn't take"):
                await models.ask(call_of(tenant_id, uuid4(), number))
        assert (await models.ask(call_of(tenant_id, uuid4()))).model == MODEL


async def test_a_job_is_told_once_that_a_part_of_the_budget_is_reached(
    settings: Settings, simulator: SimulatedProviders, key: SecretStr
) -> None:
    tenant_id, job_id = make_tenant(settings.database, ai_usd_a_day="0.0005"), uuid4()
    recorded: list[DomainEvent] = []

    async def record(event: DomainEvent) -> None:
        recorded.append(event)

    async def spend(models: Models) -> None:
        # Nobody knows what it cost, so all that was reserved counts.
        simulator.fault(key, "missing_usage")
        await models.ask(call_of(tenant_id, job_id, record=record))

    async with opened(settings) as models:
        await spend(models)
        with pytest.raises(Refused, match="may spend"):
            await spend(models)
    (event,) = recorded
    assert isinstance(event, BudgetReached)
    assert (event.scope, event.percent, event.limit_usd) == ("day", 50, Decimal("0.0005"))
    assert event.period is not None


async def test_a_tenants_day_holds_though_redis_is_wiped_while_two_processes_call(
    settings: Settings, simulator: SimulatedProviders, key: SecretStr
) -> None:
    limit = Decimal("0.0015")
    tenant_id = make_tenant(settings.database, ai_usd_a_day=limit)
    begun = asyncio.Event()

    async def ask(models: Models, number: int) -> bool:
        try:
            await models.ask(call_of(tenant_id, uuid4(), number))
        except Refused:
            return False
        begun.set()
        return True

    async with opened(settings) as one, opened(settings) as other:
        asking = [asyncio.create_task(ask(models, number)) for number in range(200) for models in (one, other)]
        await begun.wait()
        with redis.Redis.from_url(settings.redis) as client:
            client.flushall()
        answered = await asyncio.gather(*asking)
        # What the calls under way had reserved and didn't use is there again now.
        more = [await ask(one, number) for number in range(1_000, 1_120)]
    assert any(answered)
    assert not all(more)
    charged = simulator.charged(key)
    print(f"{charged:f} of {limit:f} dollars were spent in {sum(answered) + sum(more)} calls")
    assert charged <= limit


async def test_a_call_waits_for_what_others_have_reserved_and_will_not_need(settings: Settings) -> None:
    # Two calls may be under way at a time by what they might cost; all twenty fit into it by what they do cost.
    tenant_id = make_tenant(settings.database, ai_usd_a_day=str(2 * RESERVED))
    async with opened(settings) as models:
        answered = await asyncio.gather(*(models.ask(call_of(tenant_id, uuid4(), number)) for number in range(20)))
    assert all(reply.text for reply in answered)
