"""A provider's limits are learned from its answers, kept by all processes together, and shared fairly between tenants."""

import asyncio
from uuid import UUID

import pytest

from infrastructure.ports.ai.reservations import Demand, Reserved, Throttled
from infrastructure.ports.ai.response import UNKNOWN_LIMITS, Allowance, RateLimits
from infrastructure.redis.models.reservations import RedisReservations
from tests.integration.models.spending import OTHER_TENANT, Book, demand, reservations_of

PROVIDER, KEY = "openai", "deployment"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def reserved(one: RedisReservations, count: int, **fields: int) -> int:
    """How many of so many are let through."""
    outcomes = [await one.reserve(demand("0", **fields)) for _ in range(count)]
    return sum(isinstance(outcome, Reserved) for outcome in outcomes)


async def ask_until_reserved(one: RedisReservations, mine: Demand) -> None:
    while True:
        if isinstance(await one.reserve(mine), Reserved):
            return
        await asyncio.sleep(0)


def limits(**allowances: int) -> RateLimits:
    return RateLimits(**{name: Allowance(limit, limit, 60.0) for name, limit in allowances.items()})


@pytest.mark.anyio
async def test_limits_that_nobody_knows_are_none(redis_url: str) -> None:
    async with reservations_of(redis_url, Book()) as (one,):
        assert await reserved(one, 200) == 200


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "dimension", "fitting"),
    [
        (limits(requests=3), "requests", 3),
        (limits(tokens=500), "tokens", 2),
        (limits(input_tokens=400, output_tokens=4_000), "input_tokens", 4),
        (limits(input_tokens=4_000, output_tokens=500), "output_tokens", 5),
    ],
    ids=["requests", "tokens", "input tokens", "output tokens"],
)
async def test_what_a_provider_says_of_a_key_holds_for_all_processes(
    redis_url: str, said: RateLimits, dimension: str, fitting: int
) -> None:
    async with reservations_of(redis_url, Book(), 2) as (one, other):
        await one.observe(PROVIDER, KEY, said)
        assert await reserved(one, fitting) == fitting
        refused = await other.reserve(demand("0"))
        assert isinstance(refused, Throttled)
        assert refused.dimension == dimension
        assert 0 < refused.wait_seconds <= 60
        assert await reserved(other, 1, key_id="another") == 1  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_tokens_that_were_not_used_come_back(redis_url: str) -> None:
    async with reservations_of(redis_url, Book()) as (one,):
        await one.observe(PROVIDER, KEY, limits(output_tokens=1_000))
        large = demand("0", output_tokens=1_000)
        await one.reserve(large)
        assert isinstance(await one.reserve(demand("0", output_tokens=800)), Throttled)
        await one.settle(large, input_tokens=100, output_tokens=100, dollars=large.dollars)
        assert isinstance(await one.reserve(demand("0", output_tokens=800)), Reserved)


@pytest.mark.anyio
async def test_a_call_larger_than_the_whole_limit_is_let_through_when_all_of_it_is_there(redis_url: str) -> None:
    async with reservations_of(redis_url, Book()) as (one,):
        await one.observe(PROVIDER, KEY, limits(input_tokens=1_000))
        assert isinstance(await one.reserve(demand("0", input_tokens=5_000)), Reserved)
        assert isinstance(await one.reserve(demand("0")), Throttled)


@pytest.mark.anyio
async def test_a_refusal_cools_the_key_down_and_halves_its_pace(redis_url: str) -> None:
    async with reservations_of(redis_url, Book(), 2) as (one, other):
        await one.observe(PROVIDER, KEY, limits(requests=600))
        for _ in range(5):  # Those that were under way together.
            await one.observe(PROVIDER, KEY, UNKNOWN_LIMITS, throttled_for_seconds=30)
        refused = await other.reserve(demand("0"))
        assert isinstance(refused, Throttled)
        assert refused.dimension == "cooldown"
        assert 25 < refused.wait_seconds <= 30
        assert (await other.limits_of(PROVIDER, KEY)).pace == 0.5


@pytest.mark.anyio
async def test_a_provider_that_says_nothing_shows_its_limit_by_refusing(redis_url: str) -> None:
    async with reservations_of(redis_url, Book()) as (one,):
        assert await reserved(one, 40) == 40
        await one.observe(PROVIDER, KEY, UNKNOWN_LIMITS, throttled_for_seconds=0.001)
        known = (await one.limits_of(PROVIDER, KEY)).limits.requests
        assert known is not None
        assert known.limit == 20


@pytest.mark.anyio
async def test_what_is_left_is_what_the_provider_says_if_that_is_less(redis_url: str) -> None:
    async with reservations_of(redis_url, Book()) as (one,):
        await one.observe(PROVIDER, KEY, limits(requests=10))
        await one.observe(PROVIDER, KEY, RateLimits(requests=Allowance(10, 1, 54.0)))
        assert await reserved(one, 5) == 1


@pytest.mark.anyio
async def test_a_thousand_waiting_calls_of_one_tenant_dont_delay_anothers_first(redis_url: str) -> None:
    """Both ask again and again, as calls that wait do; the one with a thousand of them asks a thousand times as often."""
    served: list[UUID] = []
    async with reservations_of(redis_url, Book(), 2) as (one, other):
        await one.observe(PROVIDER, KEY, RateLimits(requests=Allowance(600, 0, 60.0)))  # One each 100 ms.

        async def ask_until_served(by: RedisReservations, mine: Demand) -> None:
            await ask_until_reserved(by, mine)
            served.append(mine.tenant_id)

        waiting = [asyncio.create_task(ask_until_served(one, demand("0"))) for _ in range(1_000)]
        await ask_until_reserved(other, demand("0", key_id="another"))
        before = len(served)
        await ask_until_served(other, demand("0", tenant_id=OTHER_TENANT))
        for task in waiting:
            task.cancel()
    assert served.index(OTHER_TENANT) - before <= 2


@pytest.mark.anyio
async def test_a_tenant_that_gave_up_keeps_nobody_waiting(redis_url: str) -> None:
    async with reservations_of(redis_url, Book()) as (one,):
        await one.observe(PROVIDER, KEY, RateLimits(output_tokens=Allowance(6_000, 0, 60.0)))
        assert isinstance(await one.reserve(demand("0", output_tokens=6_000)), Throttled)  # And never asks again.
        mine = demand("0", tenant_id=OTHER_TENANT, output_tokens=1)
        async with asyncio.timeout(30):
            await ask_until_reserved(one, mine)
