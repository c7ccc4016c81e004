"""What a capability writes: a plain async function, bound to the command it carries out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from events.envelope import DomainEvent
from schemas.commands import Command
from schemas.jobs import JobState
from schemas.problems import Problem

C = TypeVar("C", bound=Command)


@dataclass(frozen=True, slots=True)
class Child:
    """How a job that this one waited for ended."""

    job_id: UUID
    kind: str
    state: JobState
    result: dict[str, Any] | None
    problem: Problem | None


class Run(Protocol):
    """What a handler may know of the attempt it is in, and say while it runs."""

    @property
    def job_id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def children(self) -> tuple[Child, ...]:
        """Empty at first; after `AwaitChildren`, those that were waited for, in the order they were given."""
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Tells watchers how far the work is (0 to 1). Never blocks; a report that comes too fast replaces the last."""
        ...


@dataclass(frozen=True, slots=True)
class AwaitChildren:
    """The handler's answer when other jobs must end first.

    They are stored with this job's wait in one transaction; when all have ended, the handler runs again from its start
    with `run.children` filled.
    """

    commands: tuple[Command, ...]


Answer = DomainEvent | AwaitChildren | None


@dataclass(frozen=True, slots=True)
class Handler(Generic[C]):
    """A command type and the function that carries it out.

        async def translate_document(command: TranslateDocument, run: Run) -> DocumentTranslated:
            run.progress(0.5, "half of it")
            return DocumentTranslated(text=…)

        Handler(TranslateDocument, translate_document)

    The function may be called again for the same job, after a lost worker or a failed attempt. It raises TryLater or
    Unavailable for what may work later and Refused for what never will; the runtime stores what it returns.
    """

    command_type: type[C]
    handle: Callable[[C, Run], Awaitable[Answer]]
    awaits_children: bool = False
    """Whether it may answer `AwaitChildren`: only then are a job's children read before its run."""
    most_at_once: int | None = None
    """Of this kind at most so many run at a time in one worker process; what exceeds it is left to others. None: as many as
    the worker runs at all. For kinds that compute there is `Command.needs_processor`."""

    @property
    def kind(self) -> str:
        return self.command_type.kind
