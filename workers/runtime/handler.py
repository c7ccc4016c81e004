"""The handler API: a plain async function, bound to the command it handles."""

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
    """How an awaited child job ended."""

    job_id: UUID
    kind: str
    state: JobState
    result: dict[str, Any] | None
    problem: Problem | None


class Run(Protocol):
    """The current attempt, as its handler sees it."""

    @property
    def job_id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def children(self) -> tuple[Child, ...]:
        """Empty at first; after `AwaitChildren`, the awaited jobs, in the order they were given."""
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Publishes the progress (0 to 1). Never blocks; of reports in quick succession only the last is sent."""
        ...


@dataclass(frozen=True, slots=True)
class AwaitChildren:
    """The handler's answer when other jobs must end first.

    The children are stored in the transaction that sets this job waiting. When all have ended, the handler runs again from
    its start with `run.children` filled.
    """

    commands: tuple[Command, ...]


Answer = DomainEvent | AwaitChildren | None


@dataclass(frozen=True, slots=True)
class Handler(Generic[C]):
    """A command type and the function that handles it.

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
    """Whether it may return `AwaitChildren`: only then are a job's children read before its run."""
    most_at_once: int | None = None
    """The limit of concurrent runs of this kind in one worker process; other workers take the rest. None: the worker's
    concurrency. CPU-bound kinds set `Command.needs_processor` instead."""

    @property
    def kind(self) -> str:
        return self.command_type.kind
