"""CPU-bound work in child processes, so that it doesn't block the event loop.

Each child has its own executor and runs one call at a time. So a killed child fails only its own call, cancelling a
call can end its child, and queued calls wait in the parent and survive both.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import ParamSpec, TypeVar
from uuid import UUID

from infrastructure.celery.keys import NORMAL_STEP
from infrastructure.concurrency.fair_slots import FairPlaces
from infrastructure.concurrency.raised import sendable
from infrastructure.concurrency.work_clock import at_work, waiting
from infrastructure.ports import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

NOBODY = UUID(int=0)


def _nothing() -> None:
    pass


@asynccontextmanager
async def processor_pool(children: int, prepare: Callable[[], None] = _nothing) -> AsyncIterator["ProcessorPool"]:
    """A process pool for the block; its processes end with the block. `prepare` runs in each child as it starts."""
    pool = ProcessorPool(children, prepare)
    try:
        yield pool
    finally:
        await pool.close()


class ProcessorPool:
    """The Processors port on this machine. Children start when they are first needed, or all at once by `warm`."""

    def __init__(self, children: int, prepare: Callable[[], None] = _nothing) -> None:
        self._children = tuple(_Child(prepare) for _ in range(children))
        # Last in, first out: under light load the same warm child does all the work.
        self._idle = list(self._children)
        self._places = FairPlaces(children)
        self._closed = False

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the function in a free child and returns its result. Cancelling ends the child.

        Urgent jobs' calls go first, then tenants in turn; waiting doesn't count against a run's time limit. Unavailable
        when the child died; safe to repeat if the function is.
        """
        run = at_work.get()
        step, tenant_id = (NORMAL_STEP, NOBODY) if run is None else (run.step, run.tenant_id)
        with waiting() as wait:
            async with self._places.one(step, tenant_id):
                child = self._idle.pop()
                try:
                    if self._closed:
                        raise Unavailable("the processors of this worker are closed; another worker takes the job")
                    return await child.call(partial(function, *args, **kwargs), on_start=wait.over)
                finally:
                    self._idle.append(child)

    async def warm(self) -> None:
        """Starts and prepares every child now. Unavailable when one can't."""
        await asyncio.gather(*(child.call(_nothing) for child in self._children))

    async def close(self) -> None:
        """Ends every child, with the call it may be in. Safe to repeat."""
        self._closed = True
        await asyncio.gather(*(child.end() for child in self._children))


class _Child:
    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._executor: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None

    async def call(self, work: Callable[[], T], *, on_start: Callable[[], None] = _nothing) -> T:
        """Runs the work in this child. `on_start` is called once the process is up, which takes a while after a
        restart."""
        try:
            executor = await self.start()
            on_start()
            return await asyncio.wrap_future(executor.submit(_done, work))
        except BrokenProcessPool:
            await self.end()
            raise Unavailable("the process that did this work died, killed or out of memory") from None
        except asyncio.CancelledError:
            # A running function can't be asked to stop, and the next call must not wait for it.
            await asyncio.shield(self.end())
            raise

    async def start(self) -> ProcessPoolExecutor:
        """Starts the process unless it is alive, so that one killed while idle fails no call."""
        if self._process is not None and _has_ended(self._process):
            await self.end()
        if self._executor is None:
            # Spawned, not forked: a fork copies the locks of threads that don't exist in the copy.
            self._executor = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_become_child, initargs=(self._prepare,)
            )
        executor = self._executor
        if self._process is None:
            process_id = await asyncio.wrap_future(executor.submit(os.getpid))
            children = multiprocessing.active_children()
            self._process = next((child for child in children if child.pid == process_id), None)
        return executor

    async def end(self) -> None:
        """Ends the process; the next call starts another."""
        executor, process = self._executor, self._process
        self._executor = self._process = None
        if process is not None:
            process.kill()
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)


def _done(work: Callable[[], T]) -> T:
    try:
        return work()
    except BaseException as error:  # noqa: BLE001  # It is raised again, in a form that reaches the worker.
        raise sendable(error) from None


def _has_ended(process: BaseProcess) -> bool:
    """Whether the process has ended. Not `is_alive`, which polls for an exit status that the executor's thread may have
    reaped already."""
    return bool(wait([process.sentinel], timeout=0))


def _become_child(prepare: Callable[[], None]) -> None:
    # Ctrl-C and a service's stop reach the whole group; the worker drains first and then ends its children itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    prepare()


def _end_with_parent() -> None:
    """Makes a child end with its worker: a killed worker can't close its pool, and its idle children would wait for
    ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
