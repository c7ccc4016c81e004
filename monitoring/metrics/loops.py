"""The metrics of a process's loops, by the loop's name. The rules are those of `monitoring.metrics.bus`: the names are
constants of the code, and few."""

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from monitoring.metrics.registry import registry

_ROUND_BUCKETS: Final = (0.001, 0.01, 0.1, 1, 10, 60)

_rounds = Counter("bucatini_loop_rounds", "Rounds of a loop, by how they ended", ["loop", "outcome"], registry=registry)
_seconds = Histogram(
    "bucatini_loop_round_seconds",
    "From a round's start to its end",
    ["loop"],
    buckets=_ROUND_BUCKETS,
    registry=registry,
)
_last_success = Gauge(
    "bucatini_loop_last_success_timestamp_seconds",
    "When a round of the loop last succeeded, in Unix time; 0 before the first",
    ["loop"],
    registry=registry,
)


class LoopMetrics:
    """One loop's series, looked up once: some loops have a thousand rounds a second."""

    def __init__(self, name: str) -> None:
        # All three from the start: a series that has never counted is absent, and alerts on its increase miss the first.
        self._succeeded, self._refused, self._failed = (
            _rounds.labels(name, outcome) for outcome in ("succeeded", "refused", "failed")
        )
        self._seconds = _seconds.labels(name)
        self._last_success = _last_success.labels(name)

    def succeeded(self, seconds: float) -> None:
        self._succeeded.inc()
        self._seconds.observe(seconds)
        self._last_success.set_to_current_time()

    def refused(self, seconds: float) -> None:
        """Counts a round that found a server which refuses or is away."""
        self._refused.inc()
        self._seconds.observe(seconds)

    def failed(self, seconds: float) -> None:
        self._failed.inc()
        self._seconds.observe(seconds)


@cache
def of(name: str) -> LoopMetrics:
    """The metrics of the loop with this name."""
    return LoopMetrics(name)
