"""One attempt at one job: decodes its command, calls its handler, and names the outcome, whatever happens."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from infrastructure.celery.keys import step_of
from infrastructure.concurrency.work_clock import at_work
from infrastructure.ports import Refused, TryLater, Unavailable
from infrastructure.postgres.jobs.claim import Claimed
from monitoring.errors.failures import describe_failure
from monitoring.logs.context import LogContext, bound
from monitoring.logs.log_throttle import LogThrottle
from monitoring.tracing import parse_traceparent
from schemas.commands import Command
from schemas.jobs import Progress
from schemas.problems import FieldProblem, Problem
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.slots import Slots
from workers.runtime.handler import AwaitChildren, Child, Handler
from workers.runtime.settling.outcomes import (
    AwaitingChildren,
    Done,
    Failed,
    Outcome,
    Stop,
    Stopped,
    time_limit_exceeded,
)
from workers.runtime.settling.retry import Failure

logger = logging.getLogger(__name__)
_failures = LogThrottle()

MAX_MESSAGE_CHARACTERS = 1_000
UNDERSTOOD_WITHIN = timedelta(days=1)
"""A job that no worker could read for so long is set aside; until then none of these runs is an attempt."""
MAX_WAIT_SECONDS = 1.0
"""A claimed job that has waited so long for its place is handed back: what is before it takes longer than was thought."""
MOST_PAUSE_SECONDS = 60.0
"""The same for a run that has begun."""
LEAST_UNREAD_SECONDS, MAX_UNREAD_SECONDS = 1.0, 30.0
"""It waits as long again as it has waited already, within these."""


class Attempt:
    """The run as its handler sees it, and as the consumer steers it."""

    __slots__ = (
        "_left_seconds",
        "_log_context",
        "_report",
        "_waits",
        "bell",
        "came_at",
        "children",
        "claimed",
        "ended",
        "ends_at",
        "entered",
        "slots",
        "started_at",
        "stopped",
        "task",
        "time_limit_seconds",
        "waiting_since",
    )

    def __init__(
        self,
        claimed: Claimed,
        time_limit_seconds: float,
        bell: Delivery,
        children: tuple[Child, ...],
        slots: Slots,
        report: Callable[[Claimed, Progress, datetime], None],
    ) -> None:
        self.claimed = claimed
        self.time_limit_seconds = time_limit_seconds
        self.bell = bell
        self.children = children
        self.slots = slots
        self.came_at = self.started_at = time.monotonic()
        self.ends_at = self.waiting_since = self._left_seconds = math.inf
        self._waits = 0
        self.entered = self.ended = False
        self.stopped: Stop | None = None
        self.task: asyncio.Task[None] | None = None
        self._report = report
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

    def now(self) -> datetime:
        """By PostgreSQL's clock: since it told its time, this machine only measures how long ago that was."""
        return self.claimed.claimed_at + timedelta(seconds=time.monotonic() - self.came_at)

    @property
    def step(self) -> int:
        return step_of(self.claimed.priority)

    def log_context(self) -> LogContext:
        """What the lines of this run say of it; made when the first is logged."""
        if self._log_context is None:
            claimed = self.claimed
            caller = parse_traceparent(claimed.traceparent)
            self._log_context = LogContext(
                job_id=claimed.id,
                tenant_id=claimed.tenant_id,
                kind=claimed.kind,
                attempt=claimed.attempt,
                correlation_id=claimed.correlation_id,
                trace=None if caller is None else caller.child(),
            )
        return self._log_context

    def progress(self, fraction: float, message: str = "") -> None:
        shown = Progress(fraction=min(max(fraction, 0.0), 1.0), message=_storable(message[:500]))
        self._report(self.claimed, shown, self.now())

    def stop(self, reason: Stop) -> None:
        """Cancels the handler; the first reason given is the one that counts."""
        if self.stopped is None:
            self.stopped = reason
        # A task cancelled before its first step never runs at all, its `finally` included: that one sees `stopped`.
        if self.task is not None and self.entered:
            self.task.cancel()

    def start_clock(self) -> None:
        """From now on the time limit counts: the wait for a turn is no part of the run."""
        self.started_at = time.monotonic()
        self.ends_at = self.started_at + self.time_limit_seconds

    def pause(self) -> None:
        """It waits for something that others hold. That isn't work, so the time limit is off meanwhile."""
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
    def at_work(self) -> bool:
        return self.ends_at < math.inf

    def waits_too_long(self, now: float) -> bool:
        """Whether another worker may be faster. One that hasn't begun loses nothing by going there."""
        begun = self._left_seconds < math.inf
        return now - self.waiting_since > (MOST_PAUSE_SECONDS if begun else MAX_WAIT_SECONDS)

    def go_on(self) -> None:
        self._waits -= 1
        if not self._waits:
            self.waiting_since = math.inf
            self.ends_at = time.monotonic() + self._left_seconds


async def perform(attempt: Attempt, handlers: Mapping[str, Handler[Any]]) -> Outcome:
    """How the attempt ended. Raises nothing: what a handler throws, SystemExit included, is an outcome."""
    attempt.entered = True
    if attempt.stopped is not None:
        return _ended_by_us(attempt)
    attempt.start_clock()
    claimed = attempt.claimed
    handler = handlers.get(claimed.kind)
    if handler is None or claimed.version > handler.command_type.version:
        return Failed(_not_understood(claimed, attempt.now()))
    if claimed.deadline is not None and claimed.deadline <= attempt.now():
        return Failed(_too_late(claimed.deadline))
    at_work.set(attempt)  # In the run's own task, which ends with it.
    with bound(attempt.log_context):
        return await _perform(attempt, handler)


async def _perform(attempt: Attempt, handler: Handler[Any]) -> Outcome:
    try:
        command = _read(handler.command_type, attempt.claimed)
        answer = await handler.handle(command, attempt)
    except asyncio.CancelledError as error:
        return _ended_by_us(attempt) if attempt.stopped else Failed(_crashed(error))
    except Refused as refused:
        return Failed(Failure(refused.problem, retryable=False))
    except TryLater as later:
        return Failed(Failure(later.problem, retryable=True, wait_seconds=later.seconds, counted=later.counted))
    except Unavailable as error:
        detail = _storable(str(error))
        problem = Problem.of("unavailable", "Something this job needs can't be reached", 503, detail)
        return Failed(Failure(problem, retryable=True, retry_after_seconds=error.retry_after_seconds))
    except ValidationError as error:
        return Failed(_invalid(error))
    except BaseException as error:  # A handler's SystemExit would end the loop and with it every other run.
        if attempt.stopped:
            return _ended_by_us(attempt)
        # Each failure stands in its job's timeline; the log has the traceback, but not ten thousand times.
        if times := _failures.times((attempt.claimed.kind, type(error))):
            logger.error("the handler failed, %d times since this was last said", times, exc_info=error)
        return Failed(_crashed(error))
    return AwaitingChildren(answer) if isinstance(answer, AwaitChildren) else Done(answer)


def _read(command_type: type[Command], claimed: Claimed) -> Command:
    if claimed.version == command_type.version:
        return command_type.model_validate_json(claimed.command)
    fields = command_type.upcast(claimed.version, orjson.loads(claimed.command))
    return command_type.model_validate_json(orjson.dumps(fields))


def _ended_by_us(attempt: Attempt) -> Outcome:
    match attempt.stopped:
        case Stop.TIME_LIMIT:
            return Failed(time_limit_exceeded(attempt.time_limit_seconds))
        case None:
            raise AssertionError("only a stopped attempt was ended by us")
        case reason:
            return Stopped(reason)


def _too_late(deadline: datetime) -> Failure:
    detail = f"Its deadline was {deadline.isoformat()}; no worker was free before."
    return Failure(Problem.of("deadline-passed", "The deadline passed", 504, detail), retryable=True)


def _not_understood(claimed: Claimed, now: datetime) -> Failure:
    # In a rolling deploy the next worker knows it. Whoever doesn't leaves the job as it is, and its attempts with it.
    since = now if claimed.troubled_since is None else datetime.fromisoformat(claimed.troubled_since)
    detail = f"This worker has no handler for {claimed.kind} version {claimed.version}; deploy one that has."
    problem = Problem.of("not-understood", "The worker doesn't know this command", 501, detail)
    return Failure(
        problem.model_copy(update={"since": since}),
        retryable=True,
        wait_seconds=min(max((now - since).total_seconds(), LEAST_UNREAD_SECONDS), MAX_UNREAD_SECONDS),
        counted=False,
        until=since + UNDERSTOOD_WITHIN,
    )


def _invalid(error: ValidationError) -> Failure:
    # Only where and why: the values may be what must not be told.
    errors = tuple(
        FieldProblem(pointer="/" + "/".join(map(str, one["loc"])), detail=one["msg"]) for one in error.errors()[:20]
    )
    return Failure(Problem.of("invalid", "A value doesn't fit its schema", 422, errors=errors), retryable=False)


def _storable(message: str) -> str:
    # What an adapter says may quote what it was answered: no null characters, no half of a surrogate pair, no novel.
    return message[:MAX_MESSAGE_CHARACTERS].replace("\x00", "").encode("utf-8", "replace").decode()


def _crashed(error: BaseException) -> Failure:
    return _crashed_there(describe_failure(error))


@lru_cache(maxsize=500)
def _crashed_there(detail: str) -> Failure:
    # Of ten thousand failures most have happened at one place.
    return Failure(Problem.of("handler-crashed", "The handler failed unexpectedly", 500, detail), retryable=True)
