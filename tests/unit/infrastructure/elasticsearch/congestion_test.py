"""How many requests are under way follows what the server takes, and tenants take turns."""

import asyncio
from uuid import UUID

from infrastructure.elasticsearch.writing.congestion import Congestion

BUSY, QUIET = UUID(int=1), UUID(int=2)


def test_it_halves_once_for_all_that_were_rejected_together_and_grows_by_one_for_each_that_succeeds() -> None:
    async def run() -> None:
        congestion = Congestion(first=8, most=8)
        async with congestion.turn(BUSY) as one, congestion.turn(BUSY) as other:
            congestion.rejected(one)
            congestion.rejected(other)
            assert congestion.allowed == 4
        async with congestion.turn(BUSY) as later:
            congestion.rejected(later)
            assert congestion.allowed == 2
        for _ in range(20):
            congestion.succeeded()
        assert congestion.allowed == 8

    asyncio.run(run())


def test_one_request_is_always_allowed() -> None:
    async def run() -> None:
        congestion = Congestion(first=1)
        for _ in range(3):
            async with congestion.turn(BUSY) as number:
                congestion.rejected(number)
        assert congestion.allowed == 1

    asyncio.run(run())


def test_a_tenant_with_one_document_waits_for_one_turn_of_a_tenant_with_many() -> None:
    async def run() -> None:
        congestion, order = Congestion(first=1, most=1), []

        async def take(tenant_id: UUID) -> None:
            async with congestion.turn(tenant_id):
                await asyncio.sleep(0)
                order.append(tenant_id)

        busy = [asyncio.create_task(take(BUSY)) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.gather(*busy, take(QUIET))
        assert order.index(QUIET) < 5

    asyncio.run(run())


def test_places_taken_away_while_in_use_go_when_they_are_given_back() -> None:
    async def run() -> None:
        congestion = Congestion(first=4, most=4)
        under_way = most = 0

        async def take(number: int) -> None:
            nonlocal under_way, most
            async with congestion.turn(BUSY) as request:
                under_way += 1
                if number == 3:
                    congestion.rejected(request)
                if number > 5:
                    most = max(most, under_way)
                await asyncio.sleep(0)
                under_way -= 1

        await asyncio.gather(*(take(number) for number in range(20)))
        assert most == 2

    asyncio.run(run())
