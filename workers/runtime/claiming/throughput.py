"""How many jobs a second some places serve, as measured: what a number of waiting jobs means in seconds."""

import math

MEMORY_SECONDS = 1.0
"""Of time with work. What was longer ago counts for a third, then a ninth, and so on."""
LEAST_SECONDS = 0.05
"""What is known from less than this is no rate yet."""
RUNS_REMEMBERED = 20


class ServiceRate:
    """What ended in the time there was work to do, and never more than runs of their length could end in these places.

    The first alone would be told by a few runs that happened to end together, and be slow to see that longer ones came;
    the second alone knows nothing of an event loop that is the narrow place.
    """

    def __init__(self, now: float) -> None:
        self._looked_at = now
        self._was_busy = False
        self._just_ended = 0
        self._ended, self._seconds = 0.0, LEAST_SECONDS
        self._run_seconds = 0.0
        self.per_second = 0.0

    def ended(self, run_seconds: float) -> None:
        self._just_ended += 1
        self._run_seconds += (run_seconds - self._run_seconds) / RUNS_REMEMBERED

    def look(self, now: float, *, places: int, busy: bool, age_seconds: float = 0.0) -> None:
        """Measures anew. `busy` tells whether there is work; `age_seconds` for how long what runs has been running, on the
        average: runs that don't end are seen by that."""
        elapsed = now - self._looked_at
        if busy or self._was_busy or self._just_ended:
            kept = math.exp(-elapsed / MEMORY_SECONDS)
            self._ended = self._ended * kept + self._just_ended
            self._seconds = self._seconds * kept + elapsed
        self._looked_at, self._was_busy, self._just_ended = now, busy, 0
        run_seconds = max(self._run_seconds, age_seconds)
        served = self._ended / max(self._seconds, LEAST_SECONDS)
        self.per_second = min(served, places / run_seconds) if run_seconds > 0 else served
