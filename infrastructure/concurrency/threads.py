"""Blocking functions in threads, so that they don't block the event loop.

Each run has a thread of its own, which the process doesn't wait for at its end: a function that hangs can't be stopped,
and must not keep the worker from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar
from uuid import UUID

from infrastructure.celery.keys import NORMAL_STEP
from infrastructure.concurrency.fair_slots import FairPlaces
from infrastructure.concurrency.raised import carried
from infrastructure.concurrency.work_clock import at_work, waiting
from infrastructure.ports import Unavailable

T = TypeVar("T")

NOBODY = UUID(int=0)


class Threads:
    """Runs so many blocking functions at a time. A thread whose run was cancelled counts until it has ended."""

    def __init__(self, count: int) -> None:
        self._places = FairPlaces(count)

    async def run(self, function: Callable[[], T]) -> T:
        """Runs the function in a thread and returns its result. Cancelling leaves the thread to itself.

        Urgent jobs go first, then tenants in turn; waiting doesn't count against a run's time limit. Unavailable when the
        machine has no thread left.
        """
        run = at_work.get()
        step, tenant_id = (NORMAL_STEP, NOBODY) if run is None else (run.step, run.tenant_id)
        with waiting() as wait:
            await self._places.take(step, tenant_id)
            wait.over()
            return await self._begin(function)

    def _begin(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._places.give_back()
            if ended.cancelled():
                return
            if error is not None:
                ended.set_exception(error)
            else:
                ended.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

        def work() -> None:
            result, error = _outcome_of(function)
            with suppress(RuntimeError):  # The loop is closed: the worker has ended meanwhile.
                loop.call_soon_threadsafe(settle, result, error)

        try:
            threading.Thread(target=copy_context().run, args=(work,), name="job", daemon=True).start()
        except RuntimeError as error:
            self._places.give_back()
            raise Unavailable(f"no thread can be started for this job: {error}") from None
        return ended


def _outcome_of(function: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    try:
        return function(), None
    except BaseException as error:  # noqa: BLE001  # It is raised again where the result is awaited.
        return None, carried(error)
