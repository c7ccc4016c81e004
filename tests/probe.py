"""`python -m tests.probe QUEUE`: a real worker process whose handlers do what a test needs to see."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

from events.envelope import DomainEvent
from infrastructure import settings as settings_module
from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.concurrency.work_clock import at_work
from infrastructure.ports import Refused, Unavailable
from infrastructure.postgres.session import PostgresSession, Role
from infrastructure.settings import Settings
from kinds.run import AwaitChildren, Run, Then
from monitoring.logs.logging import configure
from schemas.commands import Command
from schemas.problems import Problem
from workers.runtime.handler import Handler
from workers.runtime.serve import serve


class Nothing(Command):
    """Ends at once."""

    kind: ClassVar[str] = "probe.nothing"
    queue: ClassVar[str] = "ai"
    pad: str = ""


class LeaveMark(Command):
    """Writes a row each time it runs to its end: what a test counts as the effect."""

    kind: ClassVar[str] = "probe.leave_mark"
    queue: ClassVar[str] = "ai"
    seconds: float = 0.0
    """How long it works before it leaves the mark."""


class Reckon(Command):
    """Keeps a processor busy."""

    kind: ClassVar[str] = "probe.reckon"
    queue: ClassVar[str] = "ai"
    needs_processor: ClassVar[bool] = True
    max_attempts: ClassVar[int] = 2
    time_limit_seconds: ClassVar[float] = 3.0
    seconds: float = 0.0
    calls: int = 1
    """In so many calls, one after the other."""


class AwaitHangUp(Command):
    """Says that it needs a processor, and turns out to wait for somebody else: until whoever listens there hangs up."""

    kind: ClassVar[str] = "probe.await_hang_up"
    queue: ClassVar[str] = "ai"
    needs_processor: ClassVar[bool] = True
    time_limit_seconds: ClassVar[float] = 120.0
    port: int


class Dip(Command):
    """Needs a processor now and then, and doesn't say so: most of its time it waits for somebody else."""

    kind: ClassVar[str] = "probe.dip"
    queue: ClassVar[str] = "ai"
    max_attempts: ClassVar[int] = 1
    time_limit_seconds: ClassVar[float] = 3.0
    seconds: float = 0.0


class Misbehave(Command):
    """Does what its name says."""

    kind: ClassVar[str] = "probe.misbehave"
    queue: ClassVar[str] = "ai"
    max_attempts: ClassVar[int] = 3
    time_limit_seconds: ClassVar[float] = 2.0
    how: str
    until_attempt: int = 99
    """From this attempt on it behaves."""
    seconds: float = 0.0
    """How long it takes before it does."""
    pad: str = ""


class Gather(Command):
    """Waits for as many children as it is told, then counts them."""

    kind: ClassVar[str] = "probe.gather"
    queue: ClassVar[str] = "ai"
    children: int


class PassOn(Command):
    """Ends, and has as many others follow it."""

    kind: ClassVar[str] = "probe.pass_on"
    queue: ClassVar[str] = "ai"
    followers: int
    seconds: float = 0.0


class Write(Command):
    """Brings a result of so many characters."""

    kind: ClassVar[str] = "probe.write"
    queue: ClassVar[str] = "ai"
    characters: int


class Collect(Command):
    """Has two results written, and tells how much was written in all."""

    kind: ClassVar[str] = "probe.collect"
    queue: ClassVar[str] = "ai"
    characters: int


class Written(DomainEvent):
    type: ClassVar[str] = "probe.written"
    text: str


class Collected(DomainEvent):
    type: ClassVar[str] = "probe.collected"
    characters: int


class MarkLeft(DomainEvent):
    type: ClassVar[str] = "probe.mark_left"
    attempt: int
    note: str = ""


class Gathered(DomainEvent):
    type: ClassVar[str] = "probe.gathered"
    states: tuple[str, ...]


KINDS: tuple[type[Command], ...] = (
    Nothing,
    LeaveMark,
    Reckon,
    AwaitHangUp,
    Dip,
    Misbehave,
    Gather,
    PassOn,
    Write,
    Collect,
)


def keep_busy(seconds: float) -> None:
    """For a child process."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def do_nothing(command: Nothing, run: Run) -> None:
    return None


async def misbehave(command: Misbehave, run: Run) -> MarkLeft:
    if run.attempt >= command.until_attempt:
        return MarkLeft(attempt=run.attempt)
    await asyncio.sleep(command.seconds)
    match command.how:
        case "raise":
            raise ValueError("the secret is 4711")
        case "refuse":
            raise Refused(Problem.of("no-way", "This can't be done", 422, "whatever you try"))
        case "ask for patience":
            raise Unavailable("the probe asks for patience", retry_after_seconds=1.5)
        case "return a null character":
            return MarkLeft(attempt=run.attempt).model_copy(update={"note": "\x00"})
        case "exit":
            sys.exit("a handler must not end the worker")
        case "kill the process":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            await asyncio.Event().wait()
        case "swallow cancel once":
            with_patience = asyncio.Event()
            try:
                await with_patience.wait()
            except asyncio.CancelledError:
                await with_patience.wait()
        case "block the loop":
            time.sleep(60)  # noqa: ASYNC251  # what this handler does wrong
    raise AssertionError(f"'{command.how}' is no way to misbehave")


async def gather(command: Gather, run: Run) -> Gathered | AwaitChildren:
    if not run.children:
        return AwaitChildren(tuple(LeaveMark() for _ in range(command.children)))
    return Gathered(states=tuple(child.state for child in run.children))


async def pass_on(command: PassOn, run: Run) -> Gathered | Then:
    await asyncio.sleep(command.seconds)
    return Then(Gathered(states=()), tuple(LeaveMark() for _ in range(command.followers)))


async def write(command: Write, run: Run) -> Written:
    return Written(text="ä" * command.characters)


async def collect(command: Collect, run: Run) -> Collected | AwaitChildren:
    if not run.children:
        return AwaitChildren(tuple(Write(characters=command.characters) for _ in range(2)))
    return Collected(characters=sum(len((child.result or {})["text"]) for child in run.children))


@asynccontextmanager
async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
    marks = PostgresSession(settings.database, Role.SYSTEM, "marks")

    async def leave_mark(command: LeaveMark, run: Run) -> MarkLeft:
        run.progress(0.5, "half way")
        await asyncio.sleep(command.seconds)
        mark = (run.job_id, run.attempt)
        await marks.run(
            lambda connection: connection.execute("INSERT INTO marks (job_id, attempt) VALUES (%s, %s)", mark)
        )
        return MarkLeft(attempt=run.attempt)

    async def await_hang_up(command: AwaitHangUp, run: Run) -> None:
        if (this := at_work.get()) is not None:
            this.needs_no_processor()
        reader, _ = await asyncio.open_connection("127.0.0.1", command.port)
        with suppress(ConnectionResetError):
            await reader.read()

    async with marks, processor_pool(settings.cpu_processes) as processors:

        async def reckon(command: Reckon, run: Run) -> None:
            for _ in range(command.calls):
                await processors.run(keep_busy, command.seconds / command.calls)

        async def dip(command: Dip, run: Run) -> None:
            await processors.run(keep_busy, command.seconds)

        yield (
            Handler(Nothing, do_nothing),
            Handler(LeaveMark, leave_mark),
            Handler(Reckon, reckon),
            Handler(AwaitHangUp, await_hang_up),
            Handler(Dip, dip),
            Handler(Misbehave, misbehave),
            Handler(Gather, gather, awaits_children=True),
            Handler(PassOn, pass_on),
            Handler(Write, write),
            Handler(Collect, collect, awaits_children=True),
        )


def main() -> None:
    settings = settings_module.load()
    configure(settings.log_level, settings.log_format)
    serve(settings, sys.argv[1], handlers, [command.kind for command in KINDS])


if __name__ == "__main__":
    main()
