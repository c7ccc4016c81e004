"""Throttles repeated log lines to one a second: logging a failure that every job has must not cost more than the
jobs."""

import time
from collections.abc import Callable

MAX_KEPT = 1_000


class LogThrottle:
    """Counts suppressed lines by subject, so that the next line can give the count."""

    def __init__(self, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._logged: dict[object, tuple[float, int]] = {}

    def times(self, subject: object) -> int:
        """How often it happened since the last line, this time included; 0 to suppress this line."""
        now = self._clock()
        logged_at, suppressed = self._logged.get(subject, (-self._seconds, 0))
        if now - logged_at < self._seconds:
            self._logged[subject] = (logged_at, suppressed + 1)
            return 0
        if len(self._logged) >= MAX_KEPT:
            self._logged.clear()
        self._logged[subject] = (now, 0)
        return suppressed + 1
