"""Runs a few awaitables at a time. When one fails no further one begins, and those under way still end: they are paid for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def side_by_side(work: Callable[[T], Awaitable[R]], on: Sequence[T], *, at_a_time: int) -> list[R]:
    """The results in the order of `on`. Raises what the first of them raised, once all that began have ended."""
    room = asyncio.Semaphore(at_a_time)
    results: dict[int, R] = {}
    errors: dict[int, Exception] = {}

    async def one(place: int, item: T) -> None:
        async with room:
            if errors:
                return
            try:
                results[place] = await work(item)
            except Exception as error:  # noqa: BLE001  # It is raised below, when the others have ended.
                errors[place] = error

    await asyncio.gather(*(one(place, item) for place, item in enumerate(on)))
    if errors:
        raise errors[min(errors)]
    return [results[place] for place in range(len(on))]
