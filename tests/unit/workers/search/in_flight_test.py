"""Of one document one write is under way, in the order in which they came; all of them together are bounded in bytes."""

import asyncio
from uuid import uuid4

import pytest

from workers.search.in_flight import InFlight

pytestmark = pytest.mark.anyio
TENANT = uuid4()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Writes:
    """Writes that end when they are let."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    def start(self, name: str, document_id: str, size_bytes: int = 1) -> "asyncio.Task[None]":
        self._ends[name] = asyncio.Event()
        return asyncio.create_task(self._write(name, document_id, size_bytes))

    def end(self, name: str) -> None:
        self._ends[name].set()

    async def _write(self, name: str, document_id: str, size_bytes: int) -> None:
        async with self._in_flight.one(TENANT, document_id, size_bytes):
            self.begun.append(name)
            await self._ends[name].wait()


async def test_writes_of_one_document_come_one_after_the_other_and_others_beside_them() -> None:
    writes = Writes(InFlight())
    tasks = [writes.start(name, "lease") for name in ("first", "second", "third")]
    tasks.append(writes.start("other", "invoice"))
    await settled()
    assert writes.begun == ["first", "other"]

    for name in ("first", "other", "second", "third"):
        writes.end(name)
    await asyncio.gather(*tasks)

    assert writes.begun == ["first", "other", "second", "third"]


async def test_what_there_is_no_room_for_waits_in_order_and_the_largest_goes_alone() -> None:
    writes = Writes(InFlight(max_bytes=10))
    tasks = [writes.start("a", "a", 6), writes.start("b", "b", 6), writes.start("c", "c", 1)]
    tasks.append(writes.start("huge", "d", 1_000))
    await settled()
    assert writes.begun == ["a"], "nobody overtakes who waits for room"

    writes.end("a")
    await settled()
    assert writes.begun == ["a", "b", "c"]

    writes.end("b")
    writes.end("c")
    await settled()
    assert writes.begun == ["a", "b", "c", "huge"]
    writes.end("huge")
    await asyncio.gather(*tasks)


async def test_whoever_is_stopped_while_waiting_leaves_room_and_turn_to_the_next() -> None:
    writes = Writes(InFlight(max_bytes=10))
    first = writes.start("first", "lease", 10)
    stopped = [writes.start("same", "lease", 1), writes.start("room", "invoice", 10)]
    last = writes.start("last", "letter", 10)
    await settled()

    for task in stopped:
        task.cancel()
    await settled()
    writes.end("first")
    await settled()

    assert writes.begun == ["first", "last"]
    writes.end("last")
    await asyncio.gather(first, last)


async def settled() -> None:
    """Lets every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)
