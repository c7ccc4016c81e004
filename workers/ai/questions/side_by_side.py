"""Runs a few awaitables at a time and ends the others when one fails."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def side_by_side(work: Callable[[T], Awaitable[R]], on: Sequence[T], *, at_a_time: int) -> list[R]:
    """The results in the order of `on`. Raises what the first to fail raises."""
    if len(on) <= 1:
        return [await work(one) for one in on]
    room = asyncio.Semaphore(at_a_time)

    async def one(item: T) -> R:
        async with room:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in on]
    except BaseExceptionGroup as failed:
        raise _first_of(failed) from None
    return [task.result() for task in tasks]


def _first_of(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failed.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
