"""Closes a process's resources within a time limit. A resource whose server doesn't answer is abandoned."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

TOTAL_SECONDS = 2.0
MIN_SECONDS = 0.1
"""The minimum for each resource once the others have used up the time: enough to close without a round trip."""


class Closing:
    """An AsyncExitStack with a timeout. Only for resources that may be abandoned without losing accepted work."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._until: float | None = None

    async def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        entered = await manager.__aenter__()
        self.then(partial(manager.__aexit__, None, None, None), type(entered).__name__)
        return entered

    def then(self, close: Callable[[], Awaitable[object]], name: str) -> None:
        self._stack.push_async_callback(self._in_time, close, name)

    async def _in_time(self, close: Callable[[], Awaitable[object]], name: str) -> None:
        now = asyncio.get_running_loop().time()
        self._until = self._until or now + TOTAL_SECONDS
        try:
            async with asyncio.timeout_at(max(self._until, now + MIN_SECONDS)):
                await close()
        except TimeoutError:
            logger.warning("gave up waiting for %s to close", name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
