"""`python -m tests.chaos.probe QUEUE`: a worker whose jobs work, wait, fail, delegate and reckon, and leave a mark each."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

from events.envelope import DomainEvent
from infrastructure import settings as settings_module
from infrastructure.concurrency.process_pool import ProcessorPool, processor_pool
from infrastructure.ports import Refused, Unavailable
from infrastructure.postgres.session import PostgresSession, Role
from infrastructure.settings import Settings
from kinds.run import AwaitChildren, Run
from monitoring.logs.logging import configure
from schemas.ai import ProcessDocument
from schemas.commands import Command
from schemas.problems import Problem
from workers.runtime.handler import Handler
from workers.runtime.serve import serve


class Errand(Command):
    """Takes a while, may fail a few times first, and leaves a mark."""

    kind: ClassVar[str] = "chaos.errand"
    queue: ClassVar[str] = "ai"
    max_attempts: ClassVar[int] = 12
    time_limit_seconds: ClassVar[float] = 20.0
    seconds: float = 0.0
    failures: int = 0
    """Attempts that fail before one succeeds."""


class Lookup(Errand):
    """The same on the other pool."""

    kind: ClassVar[str] = "chaos.lookup"
    queue: ClassVar[str] = "search"


class Reckon(Errand):
    """Works in a child process, which may be killed."""

    kind: ClassVar[str] = "chaos.reckon"


class Delegate(Errand):
    """Waits for children on the other pool."""

    kind: ClassVar[str] = "chaos.delegate"
    children: int = 2


class Decline(Errand):
    """Is refused for good."""

    kind: ClassVar[str] = "chaos.decline"


class Done(DomainEvent):
    type: ClassVar[str] = "chaos.done"
    attempt: int


KINDS: dict[str, tuple[type[Command], ...]] = {
    "ai": (Errand, Reckon, Delegate, Decline, ProcessDocument),
    "search": (Lookup,),
}
E = TypeVar("E", bound=Errand)


def reckon(rounds: int) -> int:
    """Some work for a processor."""
    return sum(number * number for number in range(rounds))


class Work:
    """What the handlers do, each ending with a mark: a row that counts how often the work was really carried out."""

    def __init__(self, marks: PostgresSession, processors: ProcessorPool) -> None:
        self._marks = marks
        self._processors = processors

    async def errand(self, command: Errand, run: Run) -> Done:
        run.progress(0.5, "on the way")
        await asyncio.sleep(command.seconds)
        if run.attempt <= command.failures:
            raise Unavailable("the errand fails a few times first", retry_after_seconds=0.0)
        return await self._mark(run)

    async def reckon(self, command: Reckon, run: Run) -> Done:
        await self._processors.run(reckon, 200_000)
        return await self._mark(run)

    async def delegate(self, command: Delegate, run: Run) -> Done | AwaitChildren:
        if not run.children:
            return AwaitChildren(tuple(Lookup(seconds=command.seconds) for _ in range(command.children)))
        return await self._mark(run)

    async def process(self, command: ProcessDocument, run: Run) -> Done:
        return await self._mark(run)

    async def decline(self, command: Decline, run: Run) -> None:
        raise Refused(Problem.of("declined", "This is declined", 422))

    async def _mark(self, run: Run) -> Done:
        row = (run.job_id, run.attempt)
        await self._marks.run(
            lambda connection: connection.execute("INSERT INTO marks (job_id, attempt) VALUES (%s, %s)", row)
        )
        return Done(attempt=run.attempt)


def handlers_of(queue: str) -> Callable[[Settings], Any]:
    @asynccontextmanager
    async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
        marks = PostgresSession(settings.database, Role.SYSTEM, "marks")
        async with marks, processor_pool(settings.cpu_processes) as processors:
            work = Work(marks, processors)
            yield _ai(work) if queue == "ai" else (Handler(Lookup, work.errand),)

    return handlers


def _ai(work: Work) -> tuple[Handler[Any], ...]:
    delegate: Callable[[Delegate, Run], Awaitable[Done | AwaitChildren]] = work.delegate
    return (
        Handler(Errand, work.errand),
        Handler(Reckon, work.reckon),
        Handler(Delegate, delegate, awaits_children=True),
        Handler(Decline, work.decline),
        Handler(ProcessDocument, work.process),
    )


def main() -> None:
    queue = sys.argv[1]
    settings = settings_module.load()
    configure(settings.log_level, settings.log_format)
    serve(settings, queue, handlers_of(queue), [command.kind for command in KINDS[queue]])


if __name__ == "__main__":
    main()
