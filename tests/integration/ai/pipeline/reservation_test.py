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
from infrastructure.ports import Refused, TryLater
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

    async with opened(settings) as models:
        # Nobody knows what it cost, so all that was reserved counts.
        simulator.fault(key, "missing_usage")
        await models.ask(call_of(tenant_id, job_id, record=record))
        for number in (1, 2):
            with pytest.raises(Refused, match="may spend"):
                await models.ask(call_of(tenant_id, uuid4(), number, record=record))
        ((row, _),) = await models.ledger.attempts_of_job(tenant_id, job_id)
    events = [event for event in recorded if isinstance(event, BudgetReached)]
    assert len(events) == len(recorded)
    assert [(event.scope, event.percent, event.limit_usd) for event in events] == [
        ("day", 50, Decimal("0.0005")),
        ("day", 100, Decimal("0.0005")),
    ], "a call that is refused says that nothing fits any more, once"
    assert {event.spent_usd for event in events} == {row.reserved_usd}
    assert all(event.period is not None for event in events)


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


async def test_jobs_that_have_begun_finish_before_others_begin(
    settings: Settings, simulator: SimulatedProviders, key: SecretStr
) -> None:
    # Nobody knows what they cost, so each call counts with what was reserved: ten of them fit.
    simulator.fault(key, "missing_usage", times=None)
    calls, tenant_id = 4, make_tenant(settings.database, ai_usd_a_day="0.0026")
    jobs = [uuid4() for _ in range(8)]
    done = dict.fromkeys(jobs, 0)
    refused, waited = set[UUID](), list[TryLater]()

    async def step(models: Models, job_id: UUID) -> None:
        to_come = calls - done[job_id] - 1
        call = call_of(tenant_id, job_id, done[job_id], to_come=to_come, max_output_tokens=500)
        try:
            await models.ask(call)
            done[job_id] += 1
        except TryLater as later:
            waited.append(later)
        except Refused:
            refused.add(job_id)

    async with opened(settings) as models:
        while going := [job for job in jobs if job not in refused and done[job] < calls]:
            for job_id in going:  # Each in turn: breadth first, if nothing held them back.
                await step(models, job_id)

    finished = [job for job in jobs if done[job] == calls]
    assert len(finished) == 2, done
    assert sum(done.values()) == 10
    assert not any(later.counted for later in waited)
