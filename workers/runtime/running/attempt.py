"""One attempt at one job: what its handler reports by, and what the worker stops and times it by."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from events.envelope import DomainEvent
from infrastructure.celery.keys import step_of
from infrastructure.postgres.jobs.claim import Claimed
from kinds.run import Child, RunEnded
from monitoring.logs.context import LogContext
from monitoring.tracing.context import TraceContext, parse_traceparent
from schemas.jobs import Progress
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.slots import Slots
from workers.runtime.running.outputs import Outputs
from workers.runtime.running.run_failures import storable
from workers.runtime.settling.outcomes import Stop

MAX_WAIT_SECONDS = 1.0
"""A claimed job that has waited so long for a slot is released: the runs before it take longer than was measured."""
MAX_PAUSE_SECONDS = 60.0
"""The same for a run that has started and waits for something others hold."""


class Attempt:
    """A run: the handler's `Run`, and the consumer's handle to stop and time it."""

    __slots__ = (
        "_leave_place",
        "_left_seconds",
        "_log_context",
        "_outputs",
        "_waits",
        "came_at",
        "children",
        "claimed",
        "delivery",
        "ended",
        "ends_at",
        "entered",
        "slots",
        "started_at",
        "stopped",
        "task",
        "time_limit_seconds",
        "trace",
        "waiting_since",
    )

    def __init__(
        self,
        claimed: Claimed,
        time_limit_seconds: float,
        delivery: Delivery,
        children: tuple[Child, ...],
        slots: Slots,
        outputs: Outputs,
    ) -> None:
        self.claimed = claimed
        self.time_limit_seconds = time_limit_seconds
        self.delivery = delivery
        self.children = children
        self.slots = slots
        self.came_at = self.started_at = time.monotonic()
        self.ends_at = self.waiting_since = self._left_seconds = math.inf
        self._waits = 0
        self._leave_place: Callable[[], None] | None = None
        self.entered = self.ended = False
        self.stopped: Stop | None = None
        self.task: asyncio.Task[None] | None = None
        self._outputs = outputs
        self.trace: TraceContext | None = None
        """Its span's, where spans are exported."""
        self._log_context: LogContext | None = None

    @property
    def job_id(self) -> UUID:
        return self.claimed.id

    @property
    def tenant_id(self) -> UUID:
        return self.claimed.tenant_id

    @property
    def attempt(self) -> int:
        return self.claimed.attempt

    @property
    def deadline(self) -> datetime | None:
        return self.claimed.deadline

    def now(self) -> datetime:
        """The time by PostgreSQL's clock: that of the claim, plus the seconds this machine measured since."""
        return self.claimed.claimed_at + timedelta(seconds=time.monotonic() - self.came_at)

    @property
    def step(self) -> int:
        return step_of(self.claimed.priority)

    def log_context(self) -> LogContext:
        """The fields of this run's log lines; built when the first is logged."""
        if self._log_context is None:
            claimed = self.claimed
            self._log_context = LogContext(
                job_id=claimed.id,
                tenant_id=claimed.tenant_id,
                kind=claimed.kind,
                attempt=claimed.attempt,
                correlation_id=claimed.correlation_id,
                trace=self.trace or self._step_of_trace(),
            )
        return self._log_context

    def _step_of_trace(self) -> TraceContext | None:
        caller = parse_traceparent(self.claimed.traceparent)
        return None if caller is None else caller.child()

    def progress(self, fraction: float, message: str = "") -> None:
        shown = Progress(fraction=min(max(fraction, 0.0), 1.0), message=storable(message[:500]))
        self._outputs.report(self.claimed, shown, self.now())

    async def record(self, event: DomainEvent) -> None:
        if self.stopped is not None:
            raise RunEnded
        try:
            with self.waiting():
                await self._outputs.record(self.claimed, event)
        except RunEnded:
            self.stop(Stop.LEASE_LOST)
            raise

    async def times_recorded(self, event: type[DomainEvent]) -> int:
        with self.waiting():
            return await self._outputs.times_recorded(self.claimed, event)

    def record_blocking(self, event: DomainEvent) -> None:
        raise RuntimeError("this function runs on the worker's loop, which it would block: await `run.record(event)`")

    def write(self, text: str, *, section: int = 0, offset: int = 0) -> None:
        if section < 0 or offset < 0:
            raise ValueError(f"sections and offsets begin with 0; there is no section {section}, offset {offset}")
        if self.ended:
            return  # A task that the function left behind.
        self._outputs.write(self.claimed, text, section, offset, self.now())

    async def send_text(self) -> None:
        """Sends what the function has written and wasn't sent yet."""
        if self._outputs.holds_text(self.claimed):
            await self._outputs.send_text(self.claimed)

    def expects_text(self) -> None:
        self._outputs.expect_text(self.claimed)

    def stop(self, reason: Stop) -> None:
        """Cancels the handler. Only the first reason counts; safe to repeat."""
        if self.stopped is None:
            self.stopped = reason
        # A task cancelled before its first step never runs, not even its `finally`: `perform` checks `stopped` instead.
        if self.task is not None and self.entered:
            self.task.cancel()

    def holds_place(self, leave: Callable[[], None]) -> None:
        """It holds a processor's place, which `leave` gives to the next."""
        self._leave_place = leave

    def needs_no_processor(self) -> None:
        leave, self._leave_place = self._leave_place, None
        if leave is not None:
            leave()

    def start_clock(self) -> None:
        """Starts the time limit. The wait for a slot doesn't count."""
        self.started_at = time.monotonic()
        self.ends_at = self.started_at + self.time_limit_seconds

    def pause(self) -> None:
        """Stops the clock of the time limit while the run waits for something that others hold. Each call needs a `go_on`."""
        self._waits += 1
        if self._waits == 1:
            self.waiting_since = time.monotonic()
            self._left_seconds = self.ends_at - self.waiting_since
            self.ends_at = math.inf

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.go_on()

    @property
    def left_seconds(self) -> float:
        return self.ends_at - time.monotonic() if self.at_work else self._left_seconds

    @property
    def at_work(self) -> bool:
        return self.ends_at < math.inf

    def waits_too_long(self, now: float) -> bool:
        """Whether it has waited so long that another worker may be faster. A run that hasn't started loses nothing by it."""
        begun = self._left_seconds < math.inf
        return now - self.waiting_since > (MAX_PAUSE_SECONDS if begun else MAX_WAIT_SECONDS)

    def go_on(self) -> None:
        self._waits -= 1
        if not self._waits:
            self.waiting_since = math.inf
            self.ends_at = time.monotonic() + self._left_seconds
