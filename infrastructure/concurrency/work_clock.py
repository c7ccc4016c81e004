"""Tells work from waiting: the clock of whoever is at work stands still while it waits for a place.

A run has a time limit for its work. Whatever makes a run wait for something that others hold (a processor, a thread, a
connection) does so in `waiting`, so that nobody's job dies of how long others took.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol
from uuid import UUID


class AtWork(Protocol):
    """A run, as whoever hands out places sees it."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def step(self) -> int:
        """How urgent it is: one of infrastructure/celery/keys.py's steps."""
        ...

    def pause(self) -> None:
        """From now on it waits. Each call wants one `go_on`."""
        ...

    def go_on(self) -> None: ...


at_work: ContextVar[AtWork | None] = ContextVar("at_work", default=None)
"""The run that the current task belongs to; None outside of runs."""


class Wait:
    """A wait that may be over before who waits is told so, such as one for a thread."""

    __slots__ = ("_of",)

    def __init__(self, of: AtWork | None) -> None:
        self._of = of
        if of is not None:
            of.pause()

    def over(self) -> None:
        """The place is there: from now on it's work. Safe to repeat."""
        of, self._of = self._of, None
        if of is not None:
            of.go_on()


@contextmanager
def waiting() -> Iterator[Wait]:
    """What is awaited in this block doesn't count against the current run's time limit, until the wait is over."""
    wait = Wait(at_work.get())
    try:
        yield wait
    finally:
        wait.over()
