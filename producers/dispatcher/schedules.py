"""Fires due schedules: each slot's job is created at most once, in the transaction that advances the schedule."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import ValidationError

from infrastructure.postgres.jobs import cancellation, schedules
from infrastructure.postgres.jobs.cancellation import Cancelled
from infrastructure.postgres.jobs.queries import readable
from infrastructure.postgres.jobs.schedules import Due, MovedOn
from infrastructure.postgres.jobs.submission import Accepted, NewJob, Submission, store
from infrastructure.postgres.session import Connection
from producers.submission.submitter import JobOptions, concurrency, new_job
from schemas.bounds import OutOfBounds
from schemas.catalogue import UnknownKind, command_of
from schemas.schedules import CatchUp, Overlap, ScheduleSummary

logger = logging.getLogger(__name__)

ON_TIME = timedelta(seconds=60)
"""A slot fired within this isn't late: the dispatcher may just have restarted."""
TICK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a due schedule."""

    fire: datetime | None
    """The slot whose job is created now."""
    cancel: bool
    """Whether the previous job is cancelled first."""
    held: tuple[datetime, ...]
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fired:
    """What one transaction committed."""

    looked_at: int
    broken: int
    """How many schedules were paused because they can't fire any more."""
    jobs: tuple[NewJob, ...]
    capped: tuple[UUID, ...]
    """Those of the jobs that are capped by their concurrency limit."""
    stopped: tuple[UUID, ...]
    """Running jobs that were cancelled: their workers must be notified."""


def decide(schedule: ScheduleSummary, now: datetime, *, busy: bool) -> Decision:
    """Decides which slot fires, at most one per call. `busy`: the job of the last slot hasn't ended."""
    due, next_at = _due_slots(schedule, now)
    match schedule.overlap:
        case Overlap.SKIP:
            return Decision(due[-1] if due and not busy else None, cancel=False, held=(), next_at=next_at)
        case Overlap.CANCEL_RUNNING:
            return Decision(due[-1] if due else None, cancel=bool(due) and busy, held=(), next_at=next_at)
        case Overlap.QUEUE:
            queued = (*schedule.held, *due)
            fire = queued[0] if queued and not busy else None
            rest = queued if fire is None else queued[1:]
            return Decision(fire, cancel=False, held=rest[-schedule.catch_up_most :], next_at=next_at)


def slots_after(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """The times in UTC at which the expression fires, all later than `after`. Ends when none comes within fifty years.

    Clock changes as in Debian's cron: a fixed time that is skipped fires right after the gap, one that comes twice fires the
    first time; intervals ("*/30") go by elapsed time.
    """
    for slot in CronSim(cron, after.astimezone(ZoneInfo(timezone))):
        # In the second pass of a repeated hour, CronSim may name times that the first pass already had.
        if (moment := slot.astimezone(UTC)) > after:
            yield moment


def next_slot(cron: str, timezone: str, after: datetime) -> datetime | None:
    return next(slots_after(cron, timezone, after), None)


def upcoming(cron: str, timezone: str, after: datetime, count: int) -> tuple[datetime, ...]:
    return tuple(islice(slots_after(cron, timezone, after), count))


def _due_slots(schedule: ScheduleSummary, now: datetime) -> tuple[tuple[datetime, ...], datetime | None]:
    """The due slots that may still fire, oldest first, and the next slot after now."""
    if schedule.next_at is None or schedule.next_at > now:
        return (), schedule.next_at
    window = timedelta(seconds=schedule.catch_up_window_seconds) if schedule.catch_up is not CatchUp.NONE else ON_TIME
    limit = schedule.catch_up_most if schedule.catch_up is CatchUp.ALL else 1
    due: deque[datetime] = deque(maxlen=limit)
    # Starts at the catch-up window, so that a long outage isn't enumerated slot by slot.
    for slot in slots_after(schedule.cron, schedule.timezone, max(schedule.next_at, now - window) - TICK):
        if slot > now:
            return tuple(due), slot
        due.append(slot)
    return tuple(due), None


async def fire_due(connection: Connection, *, ring_again_seconds: float) -> Fired:
    """Fires a batch of due schedules in one transaction, which stores their jobs and advances them. Safe to repeat."""
    async with connection.transaction():
        found = await schedules.due(connection)
        decided = []
        for one in found:
            decided.append((one, _decided(one)))
            await asyncio.sleep(0)  # A command may be large: yields to the other loops.
        moves = [_moved(one, decision, job) for one, (decision, job) in _firing(decided)]
        jobs = [job for _, (_, job) in _firing(decided) if job is not None]
        for one, outcome in decided:
            if isinstance(outcome, str):
                logger.error("schedule %s was paused: %s", one.schedule.id, outcome)
                await schedules.set_aside(connection, one.schedule.id, outcome)
        if moves:
            await schedules.move_on(connection, moves)
        submissions: list[Submission] = []
        if jobs:
            submissions = await store(connection, jobs, ring_again_seconds=ring_again_seconds, idempotency_hours=1)
        stopped = await _cancel(connection, [one for one, (decision, _) in _firing(decided) if decision.cancel])
    broken = sum(isinstance(outcome, str) for _, outcome in decided)
    capped = tuple(one.job_id for one in submissions if isinstance(one, Accepted) and one.capped)
    return Fired(len(found), broken, tuple(jobs), capped, stopped)


Outcome = tuple[Decision, NewJob | None] | str
"""The decision with its job, or why the schedule can't go on."""


def _decided(due: Due) -> Outcome:
    schedule = due.schedule
    try:
        decision = decide(schedule, due.now, busy=due.busy)
        return decision, None if decision.fire is None else _job(due)
    except (CronSimError, ZoneInfoNotFoundError):
        return "its cron expression or its time zone isn't known here any more"
    except UnknownKind:
        return "there is no such kind of job any more"
    except ValidationError:
        return "its command doesn't fit its kind any more"
    except OutOfBounds as error:
        return f"{error}"


def _job(due: Due) -> NewJob:
    schedule = due.schedule
    command = command_of(schedule.kind, readable(due.command))
    return new_job(due.tenant_id, command, terms_of(schedule, due.now))


def terms_of(schedule: ScheduleSummary, now: datetime, *, idempotency_key: str | None = None) -> JobOptions:
    """The job options of a schedule's jobs."""
    seconds = schedule.deadline_seconds
    return JobOptions(
        priority=schedule.priority,
        deadline=None if seconds is None else now + timedelta(seconds=seconds),
        causation_id=schedule.id,
        concurrency=concurrency(schedule.concurrency_key, schedule.concurrency_limit),
        idempotency_key=idempotency_key,
    )


def _firing(decided: Sequence[tuple[Due, Outcome]]) -> Iterator[tuple[Due, tuple[Decision, NewJob | None]]]:
    for one, outcome in decided:
        if not isinstance(outcome, str):
            yield one, outcome


def _moved(due: Due, decision: Decision, job: NewJob | None) -> MovedOn:
    return MovedOn(due.schedule.id, decision.next_at, decision.held, decision.fire, None if job is None else job.id)


async def _cancel(connection: Connection, overtaken: Sequence[Due]) -> tuple[UUID, ...]:
    stopped = []
    for one in overtaken:
        job_id = one.schedule.last_job_id
        if job_id is None:
            continue
        outcome = await cancellation.cancel(connection, one.tenant_id, job_id)
        if isinstance(outcome, Cancelled) and outcome.was_running:
            stopped.append(job_id)
    return tuple(stopped)
