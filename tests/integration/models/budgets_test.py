"""What tenants and jobs may spend is a hard cap, whoever asks at the same time and whatever Redis forgets."""

import asyncio
import random
import statistics
import time
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import redis as sync_redis

from infrastructure.ports import Unavailable
from infrastructure.ports.ai.budgets import Budget
from infrastructure.ports.ai.reservations import BudgetScope, Crossed, Demand, NotYet, OverBudget, Reserved
from infrastructure.redis.models.reservations import RedisReservations
from tests.integration.models.spending import TENANT, Book, demand, reservations_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_the_cap_holds_under_a_thousand_concurrent_reservations(redis_url: str) -> None:
    book = Book(Budget(day=Decimal("1.00")))
    price, seconds = "0.0123456789", []

    async def reserve(reservations: RedisReservations) -> bool:
        began_at = time.perf_counter()
        outcome = await reservations.reserve(demand(price))
        seconds.append(time.perf_counter() - began_at)
        return isinstance(outcome, Reserved)

    async with reservations_of(redis_url, book, 8) as processes:
        await processes[0].reserve(demand("0"))
        outcomes = await asyncio.gather(*(reserve(random.choice(processes)) for _ in range(1_000)))
        assert sum(outcomes) == 81
        refused = await processes[0].reserve(demand(price))

    assert isinstance(refused, OverBudget)
    assert (refused.scope, refused.limit) == (BudgetScope.DAY, Decimal("1.00"))
    assert refused.spent + refused.reserved == 81 * Decimal(price)


@pytest.mark.anyio
async def test_the_cap_holds_though_redis_is_wiped_in_the_midst(redis_url: str) -> None:
    book = Book(Budget(day=Decimal("2.00"), month=Decimal("5.00")))
    wiped = 0

    async def call(reservations: RedisReservations) -> None:
        nonlocal wiped
        mine = demand("0.01")
        if isinstance(await reservations.reserve(mine), Reserved):
            book.begin(mine)
            for _ in range(random.randrange(20)):  # Others go on meanwhile.
                await asyncio.sleep(0)
            if len(book.ended) in (30, 90) and wiped < 2:
                wiped += 1
                with sync_redis.Redis.from_url(redis_url) as redis:
                    redis.flushall()
            cost = Decimal(random.randint(1, 100)) / 10_000
            book.end(mine, cost)
            await reservations.settle(mine, input_tokens=1, output_tokens=1, dollars=cost)

    async with reservations_of(redis_url, book, 4) as processes:
        await asyncio.gather(*(call(random.choice(processes)) for _ in range(1_000)))
        assert wiped == 2
        assert book.total <= Decimal("2.00")
        # What was left of it can still be spent, once the ledger has been read anew.
        left = Decimal("2.00") - book.total
        assert left < Decimal("0.25")


@pytest.mark.anyio
async def test_no_digit_is_lost_where_floating_numbers_would_lose_it(redis_url: str) -> None:
    book = Book(Budget(day=Decimal("50000000.0000000001")))
    async with reservations_of(redis_url, book) as (one,):
        assert isinstance(await one.reserve(demand("49999999.9999999999")), Reserved)
        assert isinstance(await one.reserve(demand("0.0000000003")), OverBudget)
        assert isinstance(await one.reserve(demand("0.0000000002")), Reserved)
        over = await one.reserve(demand("0.0000000001"))
    assert isinstance(over, OverBudget)
    assert over.reserved == Decimal("50000000.0000000001")


@pytest.mark.anyio
async def test_a_month_has_its_own_limit(redis_url: str) -> None:
    book = Book(Budget(month=Decimal("0.015")))
    async with reservations_of(redis_url, book) as (one,):
        assert isinstance(await one.reserve(demand()), Reserved)
        over = await one.reserve(demand())
    assert isinstance(over, OverBudget)
    assert over.scope is BudgetScope.MONTH


@pytest.mark.anyio
async def test_a_job_spends_no_more_than_it_may_over_all_its_runs(redis_url: str) -> None:
    book, job = Book(), uuid4()

    def of_run(number: int, dollars: str = "0.04") -> Demand:
        return demand(dollars, job_id=job, job_attempt=number, job_limit=Decimal("0.10"))

    async with reservations_of(redis_url, book) as (one,):
        first = of_run(1)
        assert isinstance(await one.reserve(first), Reserved)
        book.begin(first)
        book.end(first, Decimal("0.03"))
        await one.settle(first, input_tokens=1, output_tokens=1, dollars=Decimal("0.03"))
        second = of_run(1)
        assert isinstance(await one.reserve(second), Reserved)
        book.begin(second)  # Its process dies.

        assert isinstance(await one.reserve(of_run(2)), OverBudget), "0.03 and 0.04, of which nobody knows"
        assert isinstance(await one.reserve(of_run(2, "0.03")), Reserved)
        assert isinstance(
            await one.reserve(demand("0.04", job_id=uuid4(), job_attempt=1, job_limit=Decimal(1))), Reserved
        )


@pytest.mark.anyio
async def test_what_costs_nothing_needs_no_budget(redis_url: str) -> None:
    async with reservations_of(redis_url, Book(Budget(day=Decimal(0)))) as (one,):
        assert isinstance(await one.reserve(demand("0")), Reserved)
        assert isinstance(await one.reserve(demand("0.0000000001")), OverBudget)


@pytest.mark.anyio
async def test_what_was_reserved_and_not_used_comes_back(redis_url: str) -> None:
    async with reservations_of(redis_url, Book(Budget(day=Decimal("0.01")))) as (one,):
        for _ in range(3):
            released = demand()
            assert isinstance(await one.reserve(released), Reserved)
            assert isinstance(await one.reserve(released), Reserved), "the same attempt reserves once"
            assert isinstance(await one.reserve(demand()), OverBudget)
            await one.release(released)
        settled = demand()
        await one.reserve(settled)
        for _ in range(2):  # Settling again changes nothing.
            await one.settle(settled, input_tokens=1, output_tokens=1, dollars=Decimal("0.004"))
        assert isinstance(await one.reserve(demand("0.006")), Reserved)


@pytest.mark.anyio
async def test_each_part_of_a_budget_is_reached_once(redis_url: str) -> None:
    book, seen = Book(Budget(day=Decimal("1"), month=Decimal("2"))), list[Crossed]()
    async with reservations_of(redis_url, book) as (one,):
        for _ in range(20):
            mine = demand("0.05")
            await one.reserve(mine)
            seen += await one.settle(mine, input_tokens=1, output_tokens=1, dollars=mine.dollars)
    assert [(each.scope, each.percent, each.spent) for each in seen] == [
        (BudgetScope.DAY, 50, Decimal("0.5")),
        (BudgetScope.DAY, 80, Decimal("0.8")),
        (BudgetScope.DAY, 100, Decimal("1")),
        (BudgetScope.MONTH, 50, Decimal("1")),
    ]


@pytest.mark.anyio
async def test_a_job_begins_when_what_begun_ones_still_need_leaves_room_for_all_of_it(redis_url: str) -> None:
    book, first, second, third = Book(Budget(day=Decimal("0.10"))), uuid4(), uuid4(), uuid4()

    def of(job: UUID, to_come: str) -> Demand:
        return demand("0.01", job_id=job, to_come=Decimal(to_come))

    async with reservations_of(redis_url, book) as (one,):
        assert isinstance(await one.reserve(of(first, "0.20")), Reserved), "alone it may spend all that is left"
        assert isinstance(await one.reserve(of(second, "0.01")), NotYet)
        assert isinstance(await one.reserve(of(first, "0.05")), Reserved)
        assert isinstance(await one.reserve(of(second, "0.03")), NotYet)
        assert isinstance(await one.reserve(of(second, "0.02")), Reserved)
        assert isinstance(await one.reserve(of(third, "0")), NotYet)
        assert isinstance(await one.reserve(of(first, "0")), Reserved)
        assert isinstance(await one.reserve(of(third, "0")), Reserved)
        assert isinstance(await one.reserve(demand("0.01")), Reserved), "what belongs to no job waits for none"


@pytest.mark.anyio
async def test_what_is_kept_for_a_job_is_free_when_it_is_refused_or_asks_no_more(redis_url: str) -> None:
    book, refused, gone = Book(Budget(day=Decimal("0.10"))), uuid4(), uuid4()

    def of(job: UUID, dollars: str = "0.01") -> Demand:
        return demand(dollars, job_id=job, to_come=Decimal("0.08"))

    async with reservations_of(redis_url, book) as (one,):
        assert isinstance(await one.reserve(of(refused)), Reserved)
        assert isinstance(await one.reserve(of(gone)), NotYet)
        assert isinstance(await one.reserve(of(refused, "0.2")), OverBudget)
        assert isinstance(await one.reserve(of(gone)), Reserved)
        assert isinstance(await one.reserve(of(uuid4())), NotYet)
        with sync_redis.Redis.from_url(redis_url) as redis:
            redis.zadd(f"bucatini:models:tenant:{TENANT}:begun until", {str(gone): 1})
        assert isinstance(await one.reserve(of(uuid4())), Reserved)


@pytest.mark.anyio
async def test_a_reservation_whose_process_died_ends_with_what_the_ledger_says(redis_url: str) -> None:
    book = Book(Budget(day=Decimal("1.00")))
    async with reservations_of(redis_url, book) as (one,):
        orphan = demand("0.90")
        await one.reserve(orphan)
        book.begin(orphan)
        assert isinstance(await one.reserve(demand("0.20")), OverBudget)

        book.end(orphan, Decimal("0.10"))
        with sync_redis.Redis.from_url(redis_url) as redis:
            redis.zadd(f"bucatini:models:tenant:{TENANT}:due", {str(orphan.attempt_id): 1})
        assert isinstance(await one.reserve(demand("0.85")), Reserved)
        assert isinstance(await one.reserve(demand("0.06")), OverBudget)


@pytest.mark.anyio
async def test_nothing_is_spent_while_redis_is_away() -> None:
    async with reservations_of("redis://127.0.0.1:9/0", Book()) as (one,):
        with pytest.raises(Unavailable, match="no model is called"):
            await one.reserve(demand())


@pytest.mark.anyio
async def test_a_reservation_takes_about_a_round_trip(redis_url: str) -> None:
    seconds: list[float] = []
    async with reservations_of(redis_url, Book(Budget(day=Decimal(1_000), month=Decimal(1_000)))) as (one,):
        await one.reserve(demand())
        for _ in range(1_000):
            began_at = time.perf_counter()
            await one.reserve(demand("0.0001"))
            seconds.append(time.perf_counter() - began_at)
    p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    print(f"a reservation: p50 {1e3 * p50:.2f} ms, p99 {1e3 * p99:.2f} ms")
    assert p50 < 0.02
