"""Round-robin scheduling between tenants, kinds of stream and clients."""

import asyncio
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.streams.catching_up.fair_queue import FairQueue, Kind, Turns

TENANTS = [UUID(int=number) for number in range(4)]
KINDS: tuple[Kind, ...] = ("job", "tenant")
waiting = st.lists(st.tuples(st.sampled_from(TENANTS), st.sampled_from(KINDS)), max_size=60)


@given(waiting)
def test_tenants_take_turns_and_kinds_within_them_and_each_kind_is_served_in_its_order(
    items: list[tuple[UUID, Kind]],
) -> None:
    queue: FairQueue[int] = FairQueue()
    for number, (tenant_id, kind) in enumerate(items):
        queue.put(tenant_id, kind, number)
    taken = [queue.take() for _ in items]

    assert sorted(taken) == list(range(len(items)))
    assert not queue
    for place, number in enumerate(taken):
        tenant_id, kind = items[number]
        left = [items[other] for other in taken[place + 1 :]]
        # Every other waiting tenant has a turn before its next one.
        until = next((at for at, other in enumerate(left) if other[0] == tenant_id), 0)
        others = [other[0] for other in left[:until]]
        assert len(others) == len(set(others))
        mine = [other for other in taken if items[other] == (tenant_id, kind)]
        assert mine == sorted(mine)
        own = [other[1] for other in left if other[0] == tenant_id]
        assert not own or own[0] != kind or len(set(own)) == 1


@given(waiting, st.sets(st.integers(0, 59)))
def test_a_discarded_item_has_no_turn(items: list[tuple[UUID, Kind]], leaving: set[int]) -> None:
    queue: FairQueue[int] = FairQueue()
    for number, (tenant_id, kind) in enumerate(items):
        queue.put(tenant_id, kind, number)
    for number, (tenant_id, kind) in enumerate(items):
        if number in leaving:
            queue.discard(tenant_id, kind, number)
            queue.discard(tenant_id, kind, number)
    staying = [number for number in range(len(items)) if number not in leaving]

    assert sorted(queue.take() for _ in staying) == staying
    assert not queue


def test_one_readers_turns_come_between_those_of_a_crowd() -> None:
    async def take() -> list[UUID]:
        turns, had = Turns(), list[UUID]()

        async def write(tenant_id: UUID, times: int) -> None:
            for _ in range(times):
                await turns.turn(tenant_id, "tenant")
                had.append(tenant_id)

        crowd = [asyncio.create_task(write(TENANTS[0], 10)) for _ in range(100)]
        await asyncio.sleep(0)
        await write(TENANTS[1], 10)
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        await turns.close()
        return had

    had = asyncio.run(take())
    assert had.count(TENANTS[1]) == 10
    assert had.count(TENANTS[0]) < 100
