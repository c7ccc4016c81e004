"""How declared functions are bound in a worker: on its loop, in threads and in child processes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bucatini import Command, DomainEvent, Run, RunEnded, Settings, job
from bucatini.testing import RecordedRun
from schemas.catalogue import COMMANDS, INTERNAL, queues
from workers.runtime.handler import Handler
from workers.runtime.pools import bind, jobs_of


class Ask(Command):
    number: int


class Block(Command):
    number: int


class Compute(Command):
    number: int


class Answered(DomainEvent):
    number: int


class Ledger:
    """Counts how often it was opened and closed."""

    opened = closed = 0


@asynccontextmanager
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    Ledger.opened += 1
    yield Ledger()
    Ledger.closed += 1


started, go_on = threading.Event(), threading.Event()
ends: list[str] = []


@job("bindings.ask", queue="bindings", uses=ledger)
async def ask(command: Ask, run: Run, used: Ledger) -> Answered:
    return Answered(number=command.number + used.opened)


@job("bindings.block", queue="bindings", uses=ledger, at_most=2)
def block(command: Block, run: Run, used: Ledger) -> Answered:
    run.progress(0.5, threading.current_thread().name)
    started.set()
    go_on.wait(30)
    try:
        run.progress(1.0)
    except RunEnded:
        ends.append("told")
        raise
    return Answered(number=command.number)


@job("bindings.compute", queue="bindings", needs_processor=True)
def compute(command: Compute) -> Answered:
    return Answered(number=sum(range(command.number)))


Perform = Callable[[Command, Run], Awaitable[Any]]


def in_a_worker(work: Callable[[dict[str, Handler[Any]], Perform], Awaitable[None]]) -> None:
    async def run() -> None:
        async with bind((ask, block, compute))(Settings(worker_threads=1)) as handlers, asyncio.timeout(60):
            by_kind = {handler.kind: handler for handler in handlers if isinstance(handler, Handler)}
            await work(by_kind, lambda command, run: by_kind[command.kind].handle(command, run))

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Ledger.opened = Ledger.closed = 0
    started.clear()
    go_on.clear()
    ends.clear()


def test_what_functions_use_is_opened_once_a_worker_and_closed_with_it() -> None:
    async def work(handlers: dict[str, Handler[Any]], perform: Perform) -> None:
        go_on.set()
        assert await perform(Ask(number=1), RecordedRun()) == Answered(number=2)
        assert await perform(Block(number=1), RecordedRun()) == Answered(number=1)
        assert (Ledger.opened, Ledger.closed) == (1, 0)

    in_a_worker(work)

    assert (Ledger.opened, Ledger.closed) == (1, 1)


def test_a_function_that_blocks_runs_in_a_thread_and_keeps_nobody_waiting() -> None:
    async def work(handlers: dict[str, Handler[Any]], perform: Perform) -> None:
        run = RecordedRun()
        blocked = asyncio.ensure_future(perform(Block(number=7), run))
        await asyncio.to_thread(started.wait, 30)

        assert await perform(Ask(number=1), RecordedRun()) == Answered(number=2)
        assert not blocked.done()
        go_on.set()
        assert await blocked == Answered(number=7)
        assert run.reports == [(0.5, "job"), (1.0, "")]
        assert handlers["bindings.block"].most_at_once == 2

    in_a_worker(work)


def test_a_thread_learns_of_its_runs_end_and_keeps_its_place_until_it_has_ended() -> None:
    async def work(handlers: dict[str, Handler[Any]], perform: Perform) -> None:
        stopped = asyncio.ensure_future(perform(Block(number=1), RecordedRun()))
        await asyncio.to_thread(started.wait, 30)
        stopped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopped
        started.clear()
        # There is one thread, and the stopped run still has it.
        following = asyncio.ensure_future(perform(Block(number=2), RecordedRun()))
        await asyncio.sleep(0)
        assert not started.is_set()

        go_on.set()
        assert await following == Answered(number=2)
        assert ends == ["told"]

    in_a_worker(work)


def test_a_function_that_computes_runs_in_a_child_process() -> None:
    async def work(handlers: dict[str, Handler[Any]], perform: Perform) -> None:
        assert await perform(Compute(number=1_000), RecordedRun()) == Answered(number=499_500)

    in_a_worker(work)


@pytest.mark.parametrize("queue", queues())
def test_every_kind_of_ours_has_its_function(queue: str) -> None:
    declared = {command for command in (*COMMANDS.values(), *INTERNAL.values()) if command.queue == queue}

    assert {job.command for job in jobs_of(queue)} == declared
