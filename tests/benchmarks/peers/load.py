"""The same load for every system: the command, the moments of calling, and a producer that doesn't run away."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from uuid import UUID

PAD = "x" * 460
"""With its field names, a command of 500 bytes as JSON."""
TENANTS = tuple(UUID(int=(0x7E4A47 << 96) + number) for number in range(10))
LOOK_EVERY = 50


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """The moments, from now, at which independent callers call: random, the same for each system."""
    dice = random.Random(seed)
    at = dice.expovariate(rate)
    while at < seconds:
        yield at
        at += dice.expovariate(rate)


class Reservoir:
    """Lets a producer be this many jobs ahead of the workers, so that what is measured is a state that could last."""

    def __init__(self, runs: Callable[[], int], most_ahead: int) -> None:
        self._runs = runs
        self._most_ahead = most_ahead
        self._made = 0
        self._seen = 0

    def has_room(self) -> bool:
        """Call it once for each job."""
        if self._made - self._seen >= self._most_ahead or self._made % LOOK_EVERY == 0:
            self._seen = self._runs()
        if self._made - self._seen >= self._most_ahead:
            return False
        self._made += 1
        return True


def produce(submit: Callable[[], object], reservoir: Reservoir) -> None:
    """Until the process is ended."""
    while True:
        if reservoir.has_room():
            submit()
        else:
            time.sleep(0.002)


async def produce_together(submit: Callable[[], Awaitable[object]], reservoir: Reservoir, callers: int) -> None:
    """The same by many callers at a time, each of which waits for its own answer."""

    async def call_for_ever() -> None:
        while True:
            if reservoir.has_room():
                await submit()
            else:
                await asyncio.sleep(0.002)

    await asyncio.gather(*(call_for_ever() for _ in range(callers)))


def call(submit: Callable[[float], object], rate: float, seconds: float, seed: int) -> None:
    """Calls at the given rate; what is submitted is told when it was called."""
    begun_at = time.monotonic()
    for offset in arrivals(rate, seconds, seed):
        rest = begun_at + offset - time.monotonic()
        if rest > 0:
            time.sleep(rest)
        submit(time.monotonic())


async def call_together(submit: Callable[[float], Awaitable[object]], rate: float, seconds: float, seed: int) -> None:
    """The same where calls may overlap."""
    begun_at = time.monotonic()
    calls: set[asyncio.Future[object]] = set()
    for offset in arrivals(rate, seconds, seed):
        rest = begun_at + offset - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)
        task = asyncio.ensure_future(submit(time.monotonic()))
        calls.add(task)
        task.add_done_callback(calls.discard)
    if calls:
        await asyncio.wait(calls)
