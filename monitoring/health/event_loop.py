"""Detects a blocked event loop, which other threads' health checks wouldn't notice."""

import asyncio
import time

from monitoring.metrics import bus as metrics


class LoopBeat:
    """The time of an event loop's last beat. Any thread may read it."""

    def __init__(self, *, silent_after_seconds: float) -> None:
        self._silent_after_seconds = silent_after_seconds
        self._last = time.monotonic()

    def beat(self) -> None:
        self._last = time.monotonic()

    def beating(self) -> bool:
        """Whether the last beat is recent: what `/healthz` asks."""
        return time.monotonic() - self._last <= self._silent_after_seconds


async def keep_beating(beat: LoopBeat, *, interval_seconds: float = 0.25) -> None:
    """Beats until it is cancelled, and measures how late the loop is each time."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + interval_seconds
        await asyncio.sleep(interval_seconds)
        metrics.loop_lagged(max(0.0, loop.time() - due))
        beat.beat()
