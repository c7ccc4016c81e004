"""Waiting for a job or a batch by long polls, without a socket: how long each is, and what is waited through."""

import time
from collections.abc import Callable
from math import ceil
from typing import TypeVar

from producers.client.errors import ProblemAnswer, Unreachable
from producers.client.exchange import MAX_POLL_SECONDS, PASSING_STATUSES, PATIENCE_SECONDS, pause_seconds

T = TypeVar("T")


class Waiting:
    def __init__(self, timeout_seconds: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = None if timeout_seconds is None else clock() + timeout_seconds
        self._heard_at: float | None = None
        self._failures = 0

    @property
    def poll_seconds(self) -> int:
        """How long the next response may take on purpose."""
        if self._deadline is None:
            return MAX_POLL_SECONDS
        return min(MAX_POLL_SECONDS, ceil(max(0.0, self._deadline - self._clock())))

    @property
    def over(self) -> bool:
        return self._deadline is not None and self._clock() >= self._deadline

    def heard(self, said: T) -> T:
        self._heard_at = self._clock()
        self._failures = 0
        return said

    def pause_after(self, error: Unreachable | ProblemAnswer) -> float:
        """What to wait before asking again. The error itself where there is no use in it."""
        if isinstance(error, ProblemAnswer) and error.status not in PASSING_STATUSES:
            raise error
        if self.over or self._heard_at is None or self._clock() - self._heard_at > PATIENCE_SECONDS:
            raise error
        self._failures += 1
        pause = pause_seconds(self._failures)
        return pause if self._deadline is None else min(pause, max(0.0, self._deadline - self._clock()))
