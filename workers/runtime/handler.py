"""A command type and what handles it, as the worker runs it: made from the declared functions by `workers.runtime.pools`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, Generic, TypeVar

from events.envelope import DomainEvent
from kinds.run import AwaitChildren, Run, Then
from schemas.commands import Command

C = TypeVar("C", bound=Command)

Answer = DomainEvent | AwaitChildren | Then | None


@dataclass(frozen=True, slots=True)
class Handler(Generic[C]):
    """What runs the jobs of one kind in this worker."""

    command_type: type[C]
    handle: Callable[[C, Run], Awaitable[Answer]]
    answers: tuple[type[Any], ...] = (DomainEvent, AwaitChildren, Then, NoneType)
    """What it may answer with."""
    awaits_children: bool = False
    """Whether it may return `AwaitChildren`: only then are a job's children read before its run."""
    most_at_once: int | None = None
    """The limit of concurrent runs of this kind in one worker process; other workers take the rest. None: the worker's
    concurrency. CPU-bound kinds set `Command.needs_processor` instead."""

    @property
    def kind(self) -> str:
        return self.command_type.kind
