"""Runs the loops of a process: restarts one that failed after a pause, and ends the process when it keeps failing.

A server that refuses or is away is no failure: its loops wait for it, however long that takes (docs/decisions/0020).
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from infrastructure.concurrency.batching import Overloaded
from infrastructure.concurrency.loops import Loop, LoopReport, ThreadLoop, current_round
from infrastructure.ports import Unavailable
from infrastructure.redis.client import FAULTS

REFUSALS = (Unavailable, Overloaded, *FAULTS)
"""What a step raises where it can only wait."""
SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 1.0
"""Before the round after a refused one; between them the loop's own period."""
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 10.0
"""Before the round after a failed one; doubled with each failure in a row."""
MAX_FAILURES_IN_A_ROW = 10
"""About a minute of failures. A new process may do better: its memory is empty and its connections are new."""
EXIT_LOOP_FAILED = 71
"""The exit code of a process that ended since one of its loops kept failing."""


class Supervisor:
    """One per process. `on_fatal` is called once, on the event loop, with the name of a loop that keeps failing: it has
    to end the process with EXIT_LOOP_FAILED."""

    def __init__(self, report_of: Callable[[str], LoopReport], on_fatal: Callable[[str], None]) -> None:
        self._report_of = report_of
        self._on_fatal = on_fatal
        self._running: list[Supervised] = []
        self.failed: str | None = None
        """The loop that ended the process."""

    def start(self, *loops: Loop) -> Sequence["Supervised"]:
        """Starts a task for each loop. Call it on the event loop."""
        started = [_OnEventLoop(loop, self._report_of(loop.name), self._give_up) for loop in loops]
        self._running += started
        return started

    def start_thread(self, loop: ThreadLoop) -> "Supervised":
        """Starts a thread for the loop. Call it on the event loop, which is where `on_fatal` is called."""
        event_loop = asyncio.get_running_loop()

        def give_up(name: str) -> None:
            event_loop.call_soon_threadsafe(self._give_up, name)

        supervised = _OnThread(loop, self._report_of(loop.name), give_up)
        self._running.append(supervised)
        return supervised

    def stalled(self) -> Sequence[str]:
        """The names of the loops that should have ended or begun a round long ago. May be called from any thread."""
        now = time.monotonic()
        return [one.name for one in list(self._running) if one.rounds.stalled(now)]

    async def stop(self) -> None:
        """Stops every loop but the one that calls this, and waits until they have ended. Safe to repeat."""
        running, self._running = self._running, []
        await asyncio.gather(*(one.stop() for one in running))

    def _give_up(self, name: str) -> None:
        if self.failed is None:
            self.failed = name
            self._on_fatal(name)


class Rounds:
    """The rounds of one loop, past and present: what `/healthz` and the pauses are decided by."""

    def __init__(self, period_seconds: float, stalled_after_seconds: float, report: LoopReport) -> None:
        self._period_seconds = period_seconds
        self._stalled_after_seconds = stalled_after_seconds
        self._report = report
        self._began_at = self._progressed_at = time.monotonic()
        self._failures = 0
        self.over = False
        """Stopped, or given up: no more rounds follow."""

    def begin(self) -> None:
        self._began_at = self._progressed_at = time.monotonic()

    def made(self) -> None:
        self._progressed_at = time.monotonic()

    def succeeded(self, pause_seconds: float | None) -> float:
        """Returns how long to pause."""
        self._failures = 0
        self._report.succeeded(self._took())
        return self._pause(self._period_seconds if pause_seconds is None else pause_seconds)

    def refused(self, error: Exception) -> float:
        """Returns how long to wait. Failures before it still count as in a row."""
        # The message of ours says more; one of a library may quote what was sent.
        known = isinstance(error, (Unavailable, Overloaded))
        self._report.refused(str(error) if known else type(error).__name__, self._took())
        return self._pause(min(max(self._period_seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS))

    def failed(self, error: BaseException) -> float | None:
        """Returns how long to wait, None after the last of too many failures in a row."""
        self._failures += 1
        if self._failures >= MAX_FAILURES_IN_A_ROW:
            self._report.gave_up(error, in_a_row=self._failures)
            self.over = True
            return None
        seconds = min(FIRST_BACKOFF_SECONDS * 2.0 ** (self._failures - 1), LONGEST_BACKOFF_SECONDS)
        self._report.failed(error, self._took(), in_a_row=self._failures, retry_seconds=seconds)
        return self._pause(seconds)

    def stalled(self, now: float) -> bool:
        return not self.over and now - self._progressed_at > self._stalled_after_seconds

    def _took(self) -> float:
        return time.monotonic() - self._began_at

    def _pause(self, seconds: float) -> float:
        # A pause counts as progress until its end: what isn't begun long after that has stalled too.
        self._progressed_at = time.monotonic() + seconds
        return seconds


class Supervised(Protocol):
    """A loop that was started."""

    name: str
    rounds: Rounds

    async def stop(self, within_seconds: float = 0.0) -> None:
        """Ends the loop: lets a round under way finish for so long, then cancels it. Safe to repeat."""
        ...


class _OnEventLoop:
    def __init__(self, loop: Loop, report: LoopReport, give_up: Callable[[str], None]) -> None:
        self.name = loop.name
        self.rounds = Rounds(loop.period_seconds, loop.stalled_after_seconds, report)
        self._give_up = give_up
        self._step = loop.step
        self._wake = loop.wake
        self._pausing = False
        self._task = asyncio.create_task(self._run(), name=loop.name)

    async def stop(self, within_seconds: float = 0.0) -> None:
        self.rounds.over = True
        if self._task is asyncio.current_task():
            return
        if within_seconds and not self._pausing:
            await asyncio.wait([self._task], timeout=within_seconds)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        current_round.set(self.rounds)
        while not self.rounds.over:
            self.rounds.begin()
            try:
                pause_seconds = self.rounds.succeeded(await self._step())
            except REFUSALS as error:
                await self._back_off(self.rounds.refused(error))
            except asyncio.CancelledError as error:
                # A library may lose or invent a cancellation; only one that was asked for ends the loop.
                if _is_cancelled():
                    raise
                await self._fail(error)
            except Exception as error:  # noqa: BLE001  # The loops' edge: it is counted, logged and decided on there.
                await self._fail(error)
            else:
                await self._pause(pause_seconds)

    async def _fail(self, error: BaseException) -> None:
        seconds = self.rounds.failed(error)
        if seconds is None:
            self._give_up(self.name)
        else:
            await self._back_off(seconds)

    async def _back_off(self, seconds: float) -> None:
        # Not ended by `wake`: a loop that is woken all the time would fail as often.
        if self.rounds.over:
            return
        self._pausing = True
        await asyncio.sleep(seconds)
        self._pausing = False

    async def _pause(self, seconds: float) -> None:
        if self.rounds.over:
            return
        self._pausing = True
        if self._wake is None or seconds <= 0:
            await asyncio.sleep(seconds)
        else:
            if self._wake.is_set():
                await asyncio.sleep(0)  # Waiting for it would give no other task a turn.
            elif seconds == math.inf:
                await self._wake.wait()
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._wake.wait()
            self._wake.clear()
        self._pausing = False


class _OnThread:
    def __init__(self, loop: ThreadLoop, report: LoopReport, give_up: Callable[[str], None]) -> None:
        self.name = loop.name
        self.rounds = Rounds(loop.period_seconds, loop.stalled_after_seconds, report)
        self._give_up = give_up
        self._step = loop.step
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=loop.name, daemon=True)
        self._thread.start()

    async def stop(self, within_seconds: float = 0.0) -> None:
        """Doesn't wait for a round under way longer than so: a thread can't be cancelled, and ends with the process."""
        self.rounds.over = True
        self._stopping.set()
        if within_seconds:
            await asyncio.to_thread(self._thread.join, within_seconds)

    def _run(self) -> None:
        current_round.set(self.rounds)
        pause_seconds: float | None = 0.0
        while pause_seconds is not None and not self._stopping.wait(pause_seconds):
            self.rounds.begin()
            try:
                self._step()
            except REFUSALS as error:
                pause_seconds = self.rounds.refused(error)
            except Exception as error:  # noqa: BLE001  # As above.
                pause_seconds = self.rounds.failed(error)
            else:
                pause_seconds = self.rounds.succeeded(None)
        if pause_seconds is None:
            self._give_up(self.name)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
