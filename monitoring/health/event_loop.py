"""Measures how late the event loop runs, and so whether it is blocked."""

import time

from monitoring.metrics import bus as metrics

PERIOD_SECONDS = 0.25
BLOCKED_AFTER_SECONDS = 15.0
"""The liveness check fails when the event loop hasn't run for this long."""


class LoopLag:
    """`measure` is the step of a loop with this period: what its round is late, the event loop is."""

    def __init__(self, period_seconds: float = PERIOD_SECONDS) -> None:
        self._period_seconds = period_seconds
        self._last: float | None = None

    async def measure(self) -> None:
        now = time.monotonic()
        if self._last is not None:
            metrics.loop_lagged(max(0.0, now - self._last - self._period_seconds))
        self._last = now
