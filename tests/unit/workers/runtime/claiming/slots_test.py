"""How much work a worker takes: a number of seconds, whatever one job takes."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.celery.message import Doorbell, Lot
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.pending import PendingJobs, PendingLot
from workers.runtime.claiming.slots import AHEAD_SECONDS, MAX_AHEAD, Slots
from workers.runtime.claiming.throughput import ServiceRate

TENANTS = [UUID(int=number) for number in range(1, 4)]


def _served(rate: ServiceRate, *, slots: int, run_seconds: float, seconds: float, start: float = 0.0) -> float:
    """The rate after the slots were always full of runs of that length."""
    now, owed = start, 0.0
    while now < start + seconds:
        now += 0.01
        owed += 0.01 * slots / run_seconds
        for _ in range(int(owed)):
            rate.ended(run_seconds)
        owed -= int(owed)
        rate.measure(now, slots=slots, busy=True)
    return rate.per_second


@pytest.mark.parametrize(("slots", "run_seconds"), [(256, 0.05), (256, 2.0), (4, 0.2), (1, 0.5)])
def test_the_rate_is_that_of_what_ends(slots: int, run_seconds: float) -> None:
    rate = _served(ServiceRate(0.0), slots=slots, run_seconds=run_seconds, seconds=10)

    assert rate == pytest.approx(slots / run_seconds, rel=0.6)


def test_runs_that_do_not_end_are_seen_by_their_age() -> None:
    rate = ServiceRate(0.0)
    assert _served(rate, slots=256, run_seconds=0.01, seconds=2) > 10_000

    rate.measure(2.5, slots=256, busy=True, age_seconds=0.5)

    assert rate.per_second <= 512


def test_an_event_loop_that_is_the_bottleneck_is_seen_by_what_ends() -> None:
    rate, now = ServiceRate(0.0), 0.0
    for _ in range(400):
        now += 0.005
        rate.ended(0.0001)
        rate.measure(now, slots=256, busy=True)

    assert rate.per_second == pytest.approx(200, rel=0.3)


def test_time_without_work_does_not_change_the_rate() -> None:
    rate = ServiceRate(0.0)
    before = _served(rate, slots=4, run_seconds=0.01, seconds=2)
    rate.measure(2.01, slots=4, busy=False)
    rate.measure(1_000.0, slots=4, busy=False)

    assert rate.per_second == pytest.approx(before, rel=0.1)


def test_slots_take_what_they_can_start_soon_and_in_batches() -> None:
    async def scenario() -> None:
        slots = Slots(4, lambda _: 1)
        assert slots.room == 4
        slots.rate.per_second = 100.0
        slots.held = 4
        assert slots.room == 100 * AHEAD_SECONDS
        slots.pending.add(_pending_lot(6))
        assert slots.room == 0, "not before half of them are gone"
        slots.pending.take(2)
        assert slots.room == 6
        slots.pending.add(_pending_lot(20))
        assert slots.surplus == 14
        slots.rate.per_second = 1e9
        assert slots.max_pending == MAX_AHEAD

    asyncio.run(scenario())


@given(
    waiting=st.lists(st.tuples(st.sampled_from(TENANTS), st.sampled_from([0, 3, 6]), st.integers(1, 60)), max_size=12),
    count=st.integers(0, 400),
    min_turns=st.integers(0, 2),
)
def test_what_goes_back_is_the_end_of_the_longest_backlogs_and_nothing_is_lost(
    waiting: list[tuple[UUID, int, int]], count: int, min_turns: int
) -> None:
    async def scenario() -> None:
        pending = PendingJobs()
        number = 0
        for tenant_id, step, jobs in waiting:
            ids = b"".join(UUID(int=number + n).bytes for n in range(jobs))
            pending.join(Doorbell(step, (Lot("k", tenant_id, ids),)), Delivery(jobs))
            number += jobs
        given_back = pending.give_back(count, min_turns=min_turns)

        assert sum(part.lot.jobs for part in given_back) <= count
        if not min_turns and len({tenant for tenant, *_ in waiting}) <= 1:
            assert sum(part.lot.jobs for part in given_back) == min(count, number), "of a tenant alone exactly so many"
        assert len(pending) == number - sum(part.lot.jobs for part in given_back)
        kept = pending.take(1_000)
        assert len(pending) == 0
        all_of_them = [job_id for part in (*kept, *given_back) for job_id in part.lot.job_ids]
        assert Counter(all_of_them) == Counter(UUID(int=n) for n in range(number))
        for part in given_back:
            earlier = [one for one in kept if (one.step, one.lot.tenant_id) == (part.step, part.lot.tenant_id)]
            assert all(max(one.lot.job_ids) < min(part.lot.job_ids) for one in earlier), "the oldest stay"
            assert len(earlier) >= min(min_turns, 1)

    asyncio.run(scenario())


def _pending_lot(jobs: int) -> PendingLot:
    return PendingLot(
        Lot("k", TENANTS[0], b"".join(UUID(int=number).bytes for number in range(jobs))), 0, Delivery(jobs)
    )
