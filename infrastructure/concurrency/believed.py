"""What is read now and then and believed in between: limits, credentials, and whatever else changes seldom."""

import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from infrastructure.concurrency.shared_fetches import Name, SharedFetches

T = TypeVar("T")

AHEAD: Final = 2 / 3
"""The part of its time after which a value is read anew, though it is still believed: so whoever asks often never waits."""


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    value: T
    asked_at: float
    """Before the question, so that an answer that was long under way is old when it comes."""


class Believed(Generic[Name, T]):
    """A value of each name, never older than `seconds`. Concurrent callers share a read; `of` raises what it raises."""

    def __init__(
        self,
        read: Callable[[Name], Coroutine[Any, Any, T]],
        *,
        seconds: float,
        max_known: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._max_known = max_known
        self._clock = clock
        self._known: OrderedDict[Name, _Known[T]] = OrderedDict()
        self._reads: SharedFetches[Name] = SharedFetches()

    async def of(self, name: Name) -> T:
        known = self._known.get(name)
        age = self._seconds if known is None else self._clock() - known.asked_at
        if known is None or age >= self._seconds:
            known = await self._reads.get(name, lambda: self._fetch(name))
        elif age >= AHEAD * self._seconds:
            self._reads.begin(name, lambda: self._fetch(name))
        return known.value

    async def _fetch(self, name: Name) -> _Known[T]:
        asked_at = self._clock()
        known = _Known(await self._read(name), asked_at)
        self._known[name] = known
        self._known.move_to_end(name)
        if len(self._known) > self._max_known:
            self._known.popitem(last=False)
        return known
