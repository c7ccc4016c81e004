"""A value is believed for its time and no longer, and whoever asks often doesn't wait for it to be read anew."""

import asyncio

import pytest

from infrastructure.concurrency.believed import Believed
from infrastructure.ports import Unavailable

SECONDS = 3.0


class Source:
    """What is read, and a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.believed: Believed[str, str] = Believed(self._read, seconds=SECONDS, max_known=2, clock=lambda: self.now)

    async def _read(self, name: str) -> str:
        self.reads += 1
        found = f"{name} {self.reads}"
        await self.gate.wait()
        if self.away:
            raise Unavailable("it is away")
        return found


def test_a_value_is_read_anew_before_its_time_is_over_and_nobody_waits_for_that() -> None:
    async def ask() -> None:
        source = Source()
        assert await source.believed.of("a") == "a 1"
        source.now = SECONDS - 0.1
        source.gate.clear()
        assert [await source.believed.of("a") for _ in range(3)] == ["a 1"] * 3
        await asyncio.sleep(0)
        assert source.reads == 2, "one reads for all"
        source.gate.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        source.now += 1
        assert await source.believed.of("a") == "a 2"

    asyncio.run(ask())


def test_a_value_whose_time_is_over_is_waited_for() -> None:
    async def ask() -> None:
        source = Source()
        await source.believed.of("a")
        source.now = SECONDS
        found = await asyncio.gather(source.believed.of("a"), source.believed.of("a"))
        assert set(found) == {"a 2"}
        assert source.reads == 2

    asyncio.run(ask())


def test_an_error_reaches_those_who_wait_and_no_others() -> None:
    async def ask() -> None:
        source = Source()
        await source.believed.of("a")
        source.away, source.now = True, SECONDS - 0.1
        assert await source.believed.of("a") == "a 1"
        await asyncio.sleep(0)
        source.now = SECONDS
        with pytest.raises(Unavailable):
            await source.believed.of("a")

    asyncio.run(ask())


def test_few_enough_are_known() -> None:
    async def ask() -> None:
        source = Source()
        for name in ("a", "b", "c"):
            await source.believed.of(name)
        await source.believed.of("c")
        assert source.reads == 3
        await source.believed.of("a")
        assert source.reads == 4

    asyncio.run(ask())
