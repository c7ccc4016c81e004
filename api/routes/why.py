"""Explains a job's state: what it waits for, as a sentence and as fields. The decision is a pure function."""

from collections.abc import Sequence
from datetime import datetime

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, json_answer
from infrastructure.postgres.jobs import explanations
from infrastructure.postgres.jobs.explanations import Found, QueueNumbers
from schemas.catalogue import COMMANDS
from schemas.explanations import (
    MAX_COUNTED,
    AtWork,
    Ended,
    Explanation,
    ForChildren,
    InLine,
    NotYet,
    OnHold,
    Reason,
    UnderCap,
)
from schemas.holds import Hold
from schemas.jobs import HOLD, LIMIT, TERMINAL, JobState, Progress
from schemas.problems import NOT_UNDERSTOOD, Problem


async def show_why(call: Call[Empty, Empty]) -> Answer:
    """The explanation of the job's current state."""
    job_id = call.path_id("id", "job")
    found = await call.db.run(explanations.subject, job_id)
    if found is None:
        raise problems.not_found("job")
    queue, lease_seconds = found.job.queue, call.ingress.settings.lease_seconds
    numbers = None
    if found.ahead is not None:
        numbers = await call.ingress.system_session.run(
            lambda connection: explanations.numbers(connection, queue, lease_seconds=lease_seconds)
        )
    return json_answer(200, explain(found, numbers, now=call.ingress.clock.now()))


def explain(found: Found, numbers: QueueNumbers | None, *, now: datetime) -> Explanation:
    reason = _reason(found, numbers, now)
    summary = _not_understood(found, reason) or _in_a_sentence(found, reason)
    return Explanation(job_id=found.job.id, state=found.job.state, summary=summary, reason=reason)


def _reason(found: Found, numbers: QueueNumbers | None, now: datetime) -> Reason:
    """The first obstacle: the one that must be cleared before any other matters."""
    job = found.job
    if job.state in TERMINAL:
        return Ended(at=job.finished_at, problem=_problem(found))
    if job.state is JobState.WAITING:
        children, ended = found.children or (0, 0)
        return ForChildren(children=children, ended=ended)
    if job.state is JobState.RUNNING and job.lease_worker is not None:
        return _at_work(found, now)
    if job.parked is not None and job.parked.startswith(HOLD):
        return OnHold(hold=_by_id(found.holds, job.parked.removeprefix(HOLD)))
    if job.parked == LIMIT:
        return _under_cap(found)
    if job.state is JobState.SCHEDULED or (job.state is JobState.RETRYING and job.run_at > now):
        return NotYet(at=job.run_at, problem=_problem(found))
    closing = [one for one in found.holds if one.closes_queue and one.queue == job.queue]
    if closing:
        return OnHold(hold=closing[0], whole_queue=True)
    return InLine(
        ahead=found.ahead or 0,
        tenants_waiting=0 if numbers is None else numbers.tenants_waiting,
        weight=job.weight,
        running=0 if numbers is None else numbers.running,
        workers=0 if numbers is None else numbers.workers,
        needs_processor=(command := COMMANDS.get(job.kind)) is not None and command.needs_processor,
    )


def _at_work(found: Found, now: datetime) -> AtWork:
    job = found.job
    assert job.lease_worker is not None
    command = COMMANDS.get(job.kind)
    return AtWork(
        worker=job.lease_worker,
        host=job.host or "",
        since=job.since or now,
        time_limit_seconds=None if command is None else command.time_limit_seconds,
        progress=None if job.progress is None else Progress.model_validate(job.progress),
    )


def _under_cap(found: Found) -> UnderCap:
    job, cap = found.job, found.cap
    in_flight, tenant_in_flight, ahead = (0, 0, 0) if cap is None else (cap.in_flight, cap.tenant_in_flight, cap.ahead)
    return UnderCap(
        key=job.concurrency_key or None,
        limit=job.concurrency_limit,
        in_flight=in_flight if job.concurrency_key else tenant_in_flight,
        position=ahead + 1,
        tenant_limit=job.tenant_limit,
        tenant_in_flight=None if job.tenant_limit is None else tenant_in_flight,
    )


def _not_understood(found: Found, reason: Reason) -> str | None:
    """The sentence for a job that no worker has known so far; None for every other."""
    problem = _problem(found)
    if problem is None or problem.name != NOT_UNDERSTOOD or not isinstance(reason, NotYet | InLine):
        return None
    offered = f"; it is offered again at {reason.at:%H:%M:%S} UTC." if isinstance(reason, NotYet) else "."
    return (
        f"No worker of pool {found.job.queue} that took it knows {found.job.kind} in its version; it waits for one that does. "
        f"Give a worker the package or the release that brings it (BUCATINI_JOBS){offered}"
    )


def _in_a_sentence(found: Found, reason: Reason) -> str:
    job = found.job
    match reason:
        case Ended(problem=None):
            return f"It is {job.state}."
        case Ended(problem=problem) if problem is not None:
            return f"It is {job.state}: {problem.title}."
        case ForChildren(children=children, ended=ended):
            return f"It waits for {children} jobs that it made; {ended} of them have ended."
        case AtWork(host=host, since=since):
            return f"It has been running on {host or 'a worker'} since {since:%Y-%m-%d %H:%M:%S} UTC."
        case OnHold(hold=None):
            return "It was held until a moment ago and goes on at once."
        case OnHold(hold=hold, whole_queue=whole) if hold is not None:
            what = f"The queue {job.queue} is paused" if whole else "It is paused"
            return f"{what} by {hold.created_by}: {hold.reason}"
        case UnderCap():
            return _capped(reason)
        case NotYet(at=at, problem=None):
            return f"It is scheduled for {at:%Y-%m-%d %H:%M:%S} UTC."
        case NotYet(at=at, problem=problem) if problem is not None:
            return f"It is tried again at {at:%Y-%m-%d %H:%M:%S} UTC, after: {problem.title}."
        case InLine(workers=0):
            return f"No worker of pool {job.queue} is alive; start one: bucatini worker {job.queue}"
        case InLine():
            return _queued(reason)
    raise AssertionError("every reason has its sentence")


def _capped(reason: UnderCap) -> str:
    place = f"It is number {_counted(reason.position)} of those waiting."
    if reason.limit is not None and reason.in_flight >= reason.limit:
        return f"At most {reason.limit} jobs of the key '{reason.key}' may be under way, and {reason.in_flight} are. {place}"
    if reason.tenant_limit is not None:
        under_way = reason.tenant_in_flight
        return f"At most {reason.tenant_limit} jobs of its tenant may be under way, and {under_way} are. {place}"
    return f"It is about to be let in under its cap. {place}"


def _queued(reason: InLine) -> str:
    others = (
        f"{_counted(reason.tenants_waiting)} tenants wait" if reason.tenants_waiting != 1 else "no other tenant waits"
    )
    return (
        f"It waits for a {'worker with a free processor' if reason.needs_processor else 'free worker'} behind {_counted(reason.ahead)} jobs of its own tenant; {others}, "
        f"{_counted(reason.running)} jobs run on {reason.workers} workers."
    )


def _counted(number: int) -> str:
    return f"{MAX_COUNTED}+" if number > MAX_COUNTED else str(number)


def _problem(found: Found) -> Problem | None:
    return None if found.job.problem is None else Problem.model_validate(found.job.problem)


def _by_id(holds: Sequence[Hold], hold_id: str) -> Hold | None:
    return next((one for one in holds if str(one.id) == hold_id), None)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/why",
        summary="Explain where a job stands",
        description="What keeps it from running, or how far it is: one sentence for people, and the same in fields.",
        handle=show_why,
        answers={200: Explanation},
        scope=Scope.JOBS_READ,
        problems=(404,),
        for_watchers=True,
    ),
)
