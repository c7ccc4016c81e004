"""The functions of each pool, ours and those of other packages, and what they need: opened once per worker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from threading import Semaphore
from typing import Any

from events.envelope import DomainEvent
from infrastructure.concurrency.loops import Loop, WithLoops
from infrastructure.concurrency.process_pool import ProcessorPool, processor_pool
from infrastructure.concurrency.threads import Threads
from infrastructure.settings import Settings
from kinds.declaration import JobFunction
from kinds.loading import AnyJob, check_one_for_each_kind, jobs_in, load
from kinds.run import Run, RunEnded
from schemas.commands import Command
from workers.runtime.handler import Handler

Bind = Callable[[Settings], AbstractAsyncContextManager[tuple[Handler[Any] | Loop, ...]]]
"""Opens what the handlers depend on, yields them and the loops that keep it up, and closes it."""
Handle = Callable[[Any, Run], Any]

PACKAGES = {"search": ("search", "documents")}
"""The packages of `workers` whose jobs a queue has; for any other queue, the one of its name."""


def jobs_of(queue: str, loaded: Sequence[AnyJob] = ()) -> tuple[AnyJob, ...]:
    """The functions of this queue: ours, from the `tasks.py` of its packages, and the loaded ones. Imports that pool's SDKs
    and no other's. Raises JobInvalid when two are for the same kind."""
    jobs = (*_own(queue), *(job for job in loaded if job.command.queue == queue))
    check_one_for_each_kind(jobs)
    return jobs


def _own(queue: str) -> tuple[AnyJob, ...]:
    packages = (f"workers.{name}" for name in PACKAGES.get(queue, (queue,)))
    return tuple(
        job
        for package in packages
        if find_spec(package) is not None and find_spec(f"{package}.tasks") is not None
        for job in jobs_in(import_module(f"{package}.tasks"))
    )


def bind(jobs: Sequence[AnyJob]) -> Bind:
    """Makes the functions' handlers."""

    @asynccontextmanager
    async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any] | Loop, ...]]:
        async with AsyncExitStack() as resources:
            used: dict[Any, Any] = {}
            for job in jobs:
                if job.uses is not None and job.uses not in used:
                    used[job.uses] = await resources.enter_async_context(job.uses(settings))
            threads, processors = Threads(settings.worker_threads), None
            if any(job.computes for job in jobs):
                pool = processor_pool(settings.cpu_processes, partial(_load, settings))
                processors = await resources.enter_async_context(pool)
                await processors.warm()
            handlers = (_handler(job, used, threads, processors, settings.worker_threads) for job in jobs)
            loops = (loop for brought in used.values() if isinstance(brought, WithLoops) for loop in brought.loops)
            yield (*handlers, *loops)

    return handlers


def _load(settings: Settings) -> None:
    # In each child as it starts, so that no job waits for the imports. It has the worker's paths already.
    load(settings)


def _handler(
    job: AnyJob, used: dict[Any, Any], threads: Threads, processors: ProcessorPool | None, max_threads: int
) -> Handler[Any]:
    arguments = () if job.uses is None else (used[job.uses],)
    at_most, handle = job.at_most, _on_the_loop(job, arguments)
    if job.computes:
        assert processors is not None
        handle = _in_a_process(job, processors)
    elif not job.is_async:
        at_most, handle = at_most or max_threads, _in_a_thread(job, arguments, threads)
    return Handler(job.command, handle, answers=job.answers, awaits_children=job.awaits_children, most_at_once=at_most)


def _on_the_loop(job: AnyJob, arguments: tuple[Any, ...]) -> Handle:
    if not arguments:
        return job.function
    function, (used,) = job.function, arguments
    return lambda command, run: function(command, run, used)


def _in_a_thread(job: AnyJob, arguments: tuple[Any, ...], threads: Threads) -> Handle:
    async def handle(command: Command, run: Run) -> Any:
        seen = RunInThread(run, asyncio.get_running_loop())
        try:
            return await threads.run(partial(job.function, command, seen, *arguments))
        finally:
            seen.ended = True

    return handle


def _in_a_process(job: AnyJob, processors: ProcessorPool) -> Handle:
    async def handle(command: Command, run: Run) -> Any:
        return await processors.run(_compute, job, command)

    return handle


def _compute(job: JobFunction[Any, Any, Any], command: Command) -> Any:
    return job.function(command)


MAX_UNSEEN_PIECES = 1_000
"""Written by a thread and not yet taken by the loop; then the thread waits."""
ROOM_SECONDS = 1.0


class RunInThread:
    """The run as a function in a thread sees it."""

    def __init__(self, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        self.job_id, self.tenant_id, self.attempt, self.children = run.job_id, run.tenant_id, run.attempt, run.children
        self.deadline = run.deadline
        self.ended = False
        self._room = Semaphore(MAX_UNSEEN_PIECES)
        self._run = run
        self._loop = loop

    def progress(self, fraction: float, message: str = "") -> None:
        """See `Run.progress`. Raises RunEnded once the run was stopped."""
        if self.ended:
            raise RunEnded
        self._loop.call_soon_threadsafe(self._run.progress, fraction, message)

    async def record(self, event: DomainEvent) -> None:
        """See `Run.record`, which is for functions on the worker's loop."""
        raise RuntimeError("a function that runs in a thread can't await: call `run.record_blocking(event)`")

    async def times_recorded(self, event: type[DomainEvent]) -> int:
        """See `Run.times_recorded`, which is for functions on the worker's loop."""
        raise RuntimeError("a function that runs in a thread can't await: keep what it has done elsewhere")

    def record_blocking(self, event: DomainEvent) -> None:
        """See `Run.record_blocking`."""
        if self.ended:
            raise RunEnded
        asyncio.run_coroutine_threadsafe(self._run.record(event), self._loop).result()

    def write(self, text: str, *, section: int = 0, offset: int = 0) -> None:
        """See `Run.write`. Raises RunEnded once the run was stopped."""
        while not self._room.acquire(timeout=ROOM_SECONDS):
            if self.ended:
                raise RunEnded
        if self.ended:
            raise RunEnded
        self._loop.call_soon_threadsafe(self._write, text, section, offset)

    def _write(self, text: str, section: int, offset: int) -> None:
        self._room.release()
        self._run.write(text, section=section, offset=offset)
