"""Says the same thing once a second: a failure that every job has must not cost more than the jobs."""

import time
from collections.abc import Callable

MAX_KEPT = 1_000


class LogThrottle:
    """Counts what wasn't said, so that the next time tells of it."""

    def __init__(self, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._said: dict[object, tuple[float, int]] = {}

    def times(self, subject: object) -> int:
        """How often it has happened since it was said last, this time included; 0 when it was said a moment ago."""
        now = self._clock()
        said_at, kept_back = self._said.get(subject, (-self._seconds, 0))
        if now - said_at < self._seconds:
            self._said[subject] = (said_at, kept_back + 1)
            return 0
        if len(self._said) >= MAX_KEPT:
            self._said.clear()
        self._said[subject] = (now, 0)
        return kept_back + 1
