"""Fair slots: the order in which waiters get them, and what a run's clock does meanwhile."""

import asyncio
import math
import time
from uuid import UUID

import pytest

from infrastructure.celery.keys import NORMAL_STEP, URGENT_STEP
from infrastructure.concurrency.fair_slots import FairPlaces
from infrastructure.concurrency.work_clock import at_work, waiting
from tests.unit.workers.runtime.runs import KeptOutputs, claimed
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.slots import Slots
from workers.runtime.running.attempt import MAX_PAUSE_SECONDS, MAX_WAIT_SECONDS, Attempt

ANN, BEN = UUID(int=1), UUID(int=2)


async def _takes(places: FairPlaces, order: list[str], name: str, step: int, tenant_id: UUID) -> None:
    async with places.one(step, tenant_id):
        order.append(name)
        await asyncio.sleep(0)


def test_urgent_ones_go_first_and_tenants_take_turns() -> None:
    order: list[str] = []

    async def story() -> None:
        places = FairPlaces(1)
        await places.take(NORMAL_STEP, ANN)
        async with asyncio.TaskGroup() as group:
            for name, step, tenant_id in (
                ("ann 1", NORMAL_STEP, ANN),
                ("ann 2", NORMAL_STEP, ANN),
                ("ann 3", NORMAL_STEP, ANN),
                ("ben 1", NORMAL_STEP, BEN),
                ("ann urgent", URGENT_STEP, ANN),
            ):
                group.create_task(_takes(places, order, name, step, tenant_id))
            await asyncio.sleep(0)
            places.give_back()

    asyncio.run(story())

    assert order == ["ann urgent", "ann 1", "ben 1", "ann 2", "ann 3"]


@pytest.mark.parametrize("its_turn_has_come", [False, True])
def test_a_place_is_not_lost_to_who_stops_waiting_for_it(*, its_turn_has_come: bool) -> None:
    order: list[str] = []

    async def story() -> None:
        places = FairPlaces(1)
        await places.take(NORMAL_STEP, ANN)
        waiting_for_it = asyncio.create_task(_takes(places, order, "cancelled", NORMAL_STEP, ANN))
        await asyncio.sleep(0)
        if its_turn_has_come:
            places.give_back()
            waiting_for_it.cancel()
        else:
            waiting_for_it.cancel()
            places.give_back()
        await asyncio.wait([waiting_for_it])
        await asyncio.wait_for(_takes(places, order, "next", NORMAL_STEP, BEN), 5)

    asyncio.run(story())

    assert order == ["next"]


ROUNDING_SECONDS = 1e-6


def _attempt() -> Attempt:
    return Attempt(claimed(), 10.0, Delivery(1), (), Slots(1, lambda _: 1), KeptOutputs())


def test_a_runs_clock_stands_still_while_any_part_of_it_waits() -> None:
    async def story() -> None:
        attempt = _attempt()
        began = time.monotonic()
        attempt.start_clock()
        at_work.set(attempt)
        with waiting():
            waits_since = time.monotonic()
            with waiting() as inner:
                assert attempt.ends_at == math.inf
                inner.over()
            assert attempt.ends_at == math.inf
            while time.monotonic() < waits_since + 0.05:  # noqa: ASYNC110 - what is measured is time itself
                await asyncio.sleep(0)
            waited = time.monotonic() - waits_since
        left, ran = attempt.ends_at - time.monotonic(), time.monotonic() - began - waited
        assert 10.0 - ran - ROUNDING_SECONDS <= left <= 10.0, "the wait is no part of it"

    asyncio.run(story())


def test_what_waits_outside_of_a_run_stops_no_clock() -> None:
    with waiting() as wait:
        wait.over()


def test_a_job_that_has_not_begun_goes_back_sooner_than_one_that_has() -> None:
    async def story() -> None:
        attempt = _attempt()
        now = time.monotonic()
        assert not attempt.waits_too_long(now + 1_000)
        with attempt.waiting():
            assert not attempt.waits_too_long(now + MAX_WAIT_SECONDS / 2)
            assert attempt.waits_too_long(now + MAX_WAIT_SECONDS + 1)
        attempt.start_clock()
        with attempt.waiting():
            assert not attempt.waits_too_long(now + MAX_WAIT_SECONDS + 1)
            assert attempt.waits_too_long(now + MAX_PAUSE_SECONDS + 1)

    asyncio.run(story())
