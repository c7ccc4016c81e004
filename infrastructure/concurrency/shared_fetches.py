"""One fetch for all who want the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from typing import Any, Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)
T = TypeVar("T")


class SharedFetches(Generic[Name]):
    """What is being fetched, by name."""

    def __init__(self) -> None:
        self._fetching: dict[Name, asyncio.Task[Any]] = {}

    async def get(self, name: Name, fetch: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The fetch's result, shared by concurrent callers of the same name; each of them gets its error."""
        fetching: asyncio.Task[T] | None = self._fetching.get(name)
        if fetching is None:
            fetching = self._start(name, asyncio.create_task(fetch()))
        # Shielded: one caller that is cancelled mustn't take the answer from the others.
        return await asyncio.shield(fetching)

    def begin(self, name: Name, fetch: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Begins it for those who will ask, unless it is under way. Nobody waits for it, so nobody gets its error: who asks next
        fetches anew. It isn't of the caller's run, whose clock and log lines are none of its business."""
        if name not in self._fetching:
            self._start(name, asyncio.create_task(fetch(), context=Context()))

    def _start(self, name: Name, fetching: "asyncio.Task[T]") -> "asyncio.Task[T]":
        self._fetching[name] = fetching
        fetching.add_done_callback(lambda fetched: self._forget(name, fetched))
        return fetching

    def _forget(self, name: Name, fetched: "asyncio.Task[Any]") -> None:
        del self._fetching[name]
        if not fetched.cancelled():
            fetched.exception()  # Read here, for when every caller was cancelled and nobody else will.
