"""The measured throughput of a set of slots: converts a number of pending jobs into seconds."""

import math

MEMORY_SECONDS = 1.0
"""The time constant of the decay, in seconds with work: what is older by this counts for 1/e."""
MIN_SECONDS = 0.05
"""The shortest measured time; with less the rate would be noise."""
RUNS_REMEMBERED = 20


class ServiceRate:
    """Jobs per second: the runs that ended per second of work, capped by slots / run time.

    The count alone is misled by a few runs that end together and is slow to notice longer ones; the cap alone doesn't see an
    event loop that is the bottleneck.
    """

    def __init__(self, now: float) -> None:
        self._measured_at = now
        self._was_busy = False
        self._ended_since = 0
        self._ended, self._seconds = 0.0, MIN_SECONDS
        self._run_seconds = 0.0
        self.per_second = 0.0

    def ended(self, run_seconds: float) -> None:
        self._ended_since += 1
        self._run_seconds += (run_seconds - self._run_seconds) / RUNS_REMEMBERED

    def measure(self, now: float, *, slots: int, busy: bool, age_seconds: float = 0.0) -> None:
        """Updates `per_second`. `busy`: whether there is work. `age_seconds`: the mean age of the running jobs, which shows runs
        that don't end."""
        elapsed = now - self._measured_at
        if busy or self._was_busy or self._ended_since:
            kept = math.exp(-elapsed / MEMORY_SECONDS)
            self._ended = self._ended * kept + self._ended_since
            self._seconds = self._seconds * kept + elapsed
        self._measured_at, self._was_busy, self._ended_since = now, busy, 0
        run_seconds = max(self._run_seconds, age_seconds)
        served = self._ended / max(self._seconds, MIN_SECONDS)
        self.per_second = min(served, slots / run_seconds) if run_seconds > 0 else served
