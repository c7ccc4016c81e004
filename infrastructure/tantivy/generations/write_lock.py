"""The locks of a tenant's index: one task of one process at a time.

Between processes it is a file lock, so a process that dies releases it at once. Waiting for it takes no thread.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from infrastructure.ports import Unavailable

POLL_SECONDS = 0.005
BUSY_SECONDS = 5.0


class WriteLock:
    """A right to change one index: to write it, or by another name to replace its generations."""

    def __init__(self, folder: Path, *, wait_seconds: float, name: str = "writer") -> None:
        self._folder = folder
        self._name = name
        self._wait_seconds = wait_seconds
        self._here = asyncio.Lock()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Holds the lock for the block; waits a bounded time, then raises Unavailable."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await held.enter_async_context(self._here)
                    await held.enter_async_context(self._between_processes())
            except TimeoutError:
                raise Unavailable(
                    f"the search index {self._folder.name} has been written by others for {self._wait_seconds:g} s",
                    retry_after_seconds=BUSY_SECONDS,
                ) from None
            yield

    @asynccontextmanager
    async def _between_processes(self) -> AsyncIterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with AsyncExitStack() as held:
            # Who waits for the writer's lock holds the place next in line; a writer that comes back at once finds that
            # taken, so processes take turns.
            async with _locked(self._folder / f"{self._name}-next.lock"):
                await held.enter_async_context(_locked(self._folder / f"{self._name}.lock"))
            yield


@asynccontextmanager
async def _locked(file: Path) -> AsyncIterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try_lock(descriptor):  # noqa: ASYNC110 - a lock of the system tells nobody when it is free
            await asyncio.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
