"""A loop of a process as a value: its name, its period, and the step that its supervisor repeats."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

STALLED_AFTER_SECONDS = 60.0
"""A round that shows no progress for so long has stalled. PostgreSQL ends a statement after half of it."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A periodic or endless task. `Supervisor.start` runs it on the event loop, from its first round at once.

    Loop("retention", 1.0, runner.tidy)
    """

    name: str
    """In lower case, for an operator: it labels the metrics, and /healthz and the log show it."""
    period_seconds: float
    """From the end of a round to the start of the next; `math.inf` when only `wake` starts one."""
    step: Callable[[], Awaitable[float | None]]
    """One round. May return how many seconds to pause instead of the period. Raises Unavailable, Overloaded or one of
    Redis's FAULTS where it can only wait; every other exception is a failure."""
    wake: asyncio.Event | None = None
    """Ends the pause early. The supervisor clears it before the round."""
    stalled_after_seconds: float = STALLED_AFTER_SECONDS


@dataclass(frozen=True, slots=True)
class ThreadLoop:
    """A loop on a thread of its own, which a blocked event loop can't delay. Its fields are those of `Loop`."""

    name: str
    period_seconds: float
    step: Callable[[], None]
    stalled_after_seconds: float = STALLED_AFTER_SECONDS


class WithLoops:
    """The base of what an adapter is when it must be kept up by loops: whoever opens it has a supervisor run them."""

    loops: tuple[Loop, ...]


class LoopReport(Protocol):
    """Counts and logs what becomes of one loop's rounds. May be called from any thread."""

    def succeeded(self, seconds: float) -> None: ...

    def refused(self, reason: str, seconds: float) -> None:
        """The round found a server that refuses or is away. It is waited for, without limit."""
        ...

    def failed(self, error: BaseException, seconds: float, *, in_a_row: int, retry_seconds: float) -> None: ...

    def gave_up(self, error: BaseException, *, in_a_row: int) -> None:
        """The last of too many failures in a row: the process ends."""
        ...


class Progress(Protocol):
    """A round under way."""

    def made(self) -> None: ...


current_round: ContextVar[Progress | None] = ContextVar("current_round", default=None)


def made_progress() -> None:
    """Says that the loop's round under way hasn't stalled, however long it has taken. Does nothing outside of a round."""
    if (under_way := current_round.get()) is not None:
        under_way.made()
