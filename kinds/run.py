"""What a job's function is given beside its command, and what it may answer instead of a result."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from events.envelope import DomainEvent
from schemas.commands import Command
from schemas.jobs import JobState
from schemas.problems import Problem


@dataclass(frozen=True, slots=True)
class Child:
    """How an awaited child job ended."""

    job_id: UUID
    kind: str
    state: JobState
    result: dict[str, Any] | None
    problem: Problem | None


class Run(Protocol):
    """The current attempt, as its function sees it."""

    @property
    def job_id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def deadline(self) -> datetime | None:
        """When the job is of no use any more; None if it never is."""
        ...

    @property
    def children(self) -> tuple[Child, ...]:
        """Empty at first; after `AwaitChildren`, the awaited jobs, in the order they were given."""
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Publishes the progress (0 to 1). Never blocks; of reports in quick succession only the last is sent.

        In a function that runs in a thread it raises `RunEnded` once the run was stopped, since nothing else can end it.
        """
        ...

    async def record(self, event: DomainEvent) -> None:
        """Stores an event in the job's timeline, now: subscribers get it, and it stays when the attempt fails.

            @job("reports.make", queue="reports", records=(PageMade,))
            async def make_report(command: MakeReport, run: Run) -> ReportMade:
                await run.record(PageMade(page=1))

        Returns once it is committed. Raises Unavailable when that isn't known: recording it again may store it twice.
        Nothing is stored, and RunEnded raised, when another worker has the job by now; and Refused for an event of more than
        256 KB, or when the timeline has 2,000 entries already. TypeError for an event that no `@job` and no module of
        `events` declares.
        """
        ...

    async def times_recorded(self, event: type[DomainEvent]) -> int:
        """How many events of this type the job's timeline has, those of earlier attempts too: what an attempt that goes on
        after another has recorded already. Raises Unavailable when that can't be read."""
        ...

    def record_blocking(self, event: DomainEvent) -> None:
        """`record` for a function that runs in a thread, which waits meanwhile."""
        ...

    def write(self, text: str, *, section: int = 0, offset: int = 0) -> None:
        """Publishes a piece of text as it is written, as `ai.delta`: live, while somebody listens, and never stored.

            run.write("Dear ", section=0, offset=0)
            run.write("reader", section=0, offset=5)

        `offset` is where in the section the piece begins, in characters. The first piece is sent at once, and then what came
        meanwhile, every 60 ms. Pieces may be lost: record `SectionCompleted`, which has the section's whole text, behind its
        last one. Never blocks, but in a thread that writes faster than it is sent.
        """
        ...


class RunEnded(Exception):
    """The run was stopped: it was cancelled or exceeded its time limit. Nothing that it still returns is kept."""


@dataclass(frozen=True, slots=True)
class AwaitChildren:
    """The function's answer when other jobs must end first.

    The children are stored in the transaction that sets this job waiting. When all have ended, the function runs again from
    its start with `run.children` filled.
    """

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Then:
    """The function's answer when other jobs follow its own, which doesn't wait for them.

        return Then(ReportMade(rows=7), (SendReport(to="office"), ArchiveReport()))

    The jobs are stored in the transaction that stores the result: all of it or nothing, and once, however often the function
    runs. They have the priority of this job, its trace and its correlation id, and name it as their cause.
    """

    result: DomainEvent | None
    commands: tuple[Command, ...]
