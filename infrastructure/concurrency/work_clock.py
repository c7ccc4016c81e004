"""Pauses a run's time limit while it waits for a shared resource.

Whatever makes a run wait for something that others hold (a processor, a thread, a connection) does so in `waiting`, so
that a job doesn't time out because others took long.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol
from uuid import UUID


class AtWork(Protocol):
    """The current run: its tenant, its priority step and its clock."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def step(self) -> int:
        """Its priority step: see infrastructure/celery/keys.py."""
        ...

    @property
    def left_seconds(self) -> float:
        """Until its time limit ends it."""
        ...

    def needs_no_processor(self) -> None:
        """It turned out to wait for others rather than to compute: the next job may have its place among those that compute.
        Safe to repeat."""
        ...

    def expects_text(self) -> None:
        """It is about to show text as it comes: what that takes is made ready meanwhile. Safe to repeat."""
        ...

    def pause(self) -> None:
        """Stops the clock. Each call needs one `go_on`."""
        ...

    def go_on(self) -> None: ...


at_work: ContextVar[AtWork | None] = ContextVar("at_work", default=None)
"""The run that the current task belongs to; None outside of runs."""


class Wait:
    """A pause of the run's clock that can end before the waiter resumes, such as when a thread starts its work."""

    __slots__ = ("_of",)

    def __init__(self, of: AtWork | None) -> None:
        self._of = of
        if of is not None:
            of.pause()

    def over(self) -> None:
        """Restarts the clock: the resource is there. Safe to repeat."""
        of, self._of = self._of, None
        if of is not None:
            of.go_on()


@contextmanager
def waiting() -> Iterator[Wait]:
    """Stops the current run's clock for this block, or until `Wait.over`."""
    wait = Wait(at_work.get())
    try:
        yield wait
    finally:
        wait.over()
