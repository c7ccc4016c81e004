"""Starts tasks that end by themselves, such as a push or a read: one that fails is logged, though nobody awaits it.

What repeats is a `Loop` instead, and runs under the process's supervisor.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)


def start(work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
    """The started task. Its caller keeps it, or the event loop might drop it before it ends."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    return task


class WatchedTasks:
    """Keeps the tasks that it starts until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        task = start(work, name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self) -> None:
        """Returns when every task has ended, those included that others start meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Cancels every task, and returns when they have ended."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


def _log_failure(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("task.failed: %s", task.get_name(), exc_info=error)
