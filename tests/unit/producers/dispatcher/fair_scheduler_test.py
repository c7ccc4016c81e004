"""Fair scheduling in a worker and in the feeder: each tenant's turn has as many jobs as its weight."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.celery.message import Doorbell, Lot
from infrastructure.postgres.jobs.turns import Next
from producers.dispatcher.queue_feeder import LATE_MILLISECONDS, LATEST_SECONDS, cursor_after, lots_of
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.pending import PendingJobs

HEAVY, LIGHT = UUID(int=1), UUID(int=2)
WEIGHTS = {HEAVY: 2, LIGHT: 1}


def pending_of(jobs: int) -> PendingJobs:
    pending = PendingJobs(lambda tenant_id: WEIGHTS[tenant_id])

    async def join() -> None:
        for tenant in (HEAVY, LIGHT):
            pending.join(Doorbell(0, (Lot("kitchen.brew", tenant, ids_of(range(jobs))),)), Delivery(jobs))

    asyncio.run(join())
    return pending


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_a_worker_takes_by_weight_however_small_its_bites(bites: list[int]) -> None:
    pending = pending_of(1_000)
    taken = Counter(lot.tenant_id for bite in bites for lot, *_ in pending.take(bite) for _ in lot.job_ids)

    assert sum(taken.values()) == sum(bites)
    assert abs(taken[HEAVY] - 2 * taken[LIGHT]) <= 2, "never more than a turn apart"


def test_a_tenant_alone_takes_all_and_owes_nothing_for_it() -> None:
    pending = pending_of(10)
    pending.take(30)
    assert len(pending) == 0

    pending = PendingJobs(lambda tenant_id: WEIGHTS[tenant_id])

    async def scenario() -> list[UUID]:
        pending.join(Doorbell(0, (Lot("k", HEAVY, ids_of(range(100, 150))),)), Delivery(50))
        pending.take(20)
        pending.join(Doorbell(0, (Lot("k", LIGHT, ids_of([7])),)), Delivery(1))
        return [lot.tenant_id for lot, *_ in pending.take(3)]

    assert LIGHT in asyncio.run(scenario())


def test_a_bite_of_many_jobs_takes_each_tenants_in_few_pieces() -> None:
    pending = pending_of(1_000)

    taken = pending.take(302)

    assert sum(lot.jobs for lot, *_ in taken) == 302
    assert len(taken) <= 4, "whole rounds are taken at once"


def test_what_was_taken_is_the_oldest_of_each_tenant_in_its_order() -> None:
    pending = pending_of(100)

    taken = [*pending.take(7), *pending.take(31), *pending.take(150)]

    for tenant in (HEAVY, LIGHT):
        ids = [job_id.int for lot, *_ in taken if lot.tenant_id == tenant for job_id in lot.job_ids]
        assert ids == list(range(len(ids)))


def test_a_tenants_pending_jobs_are_grouped_by_kind_each_in_its_order() -> None:
    waiting = Next(ids_of(range(5)), ["brew", "bake", "brew", "brew", "bake"])

    assert lots_of(HEAVY, waiting) == [Lot("brew", HEAVY, ids_of([0, 2, 3])), Lot("bake", HEAVY, ids_of([1, 4]))]
    assert lots_of(HEAVY, waiting.without(frozenset([waiting.id_at(0), waiting.id_at(2)]), 9)) == [
        Lot("bake", HEAVY, ids_of([1, 4])),
        Lot("brew", HEAVY, ids_of([3])),
    ]


def test_a_pending_job_that_was_rung_for_is_not_rung_for_again() -> None:
    waiting = Next(ids_of(range(5)), ["brew"] * 5)

    assert waiting.without(frozenset(waiting.each()[:3]), 9).ids == ids_of([3, 4])
    assert waiting.without(frozenset(waiting.each()[:3]), 1).ids == ids_of([3])
    assert waiting.without(frozenset(), 2).ids == ids_of([0, 1])


def test_an_old_backlog_is_read_on_from_where_it_was_left() -> None:
    first, last = made_at(1_000.0), made_at(1_001.0)

    cursor = cursor_after([first.bytes, last.bytes], now=1_001.0 + LATEST_SECONDS + 1)

    assert not cursor.rung
    assert last < cursor.after <= UUID(int=last.int + 1)


def test_among_jobs_just_made_the_place_leaves_room_for_those_committed_late() -> None:
    first, last = made_at(1_000.0), made_at(1_001.0)

    cursor = cursor_after([first.bytes, last.bytes], now=1_001.0 + LATEST_SECONDS / 2)

    assert cursor.rung == {first.bytes, last.bytes}
    assert cursor.after == UUID(int=first.int - (LATE_MILLISECONDS << 80))


def made_at(seconds: float) -> UUID:
    return UUID(int=(round(seconds * 1_000) << 80) + 4_711)


def ids_of(numbers: Iterable[int]) -> bytes:
    return b"".join(UUID(int=number).bytes for number in numbers)
