"""Submits commands as jobs, for every capability."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from api.auth.principal import Scope
from api.document_references import pinned
from api.endpoint import Call, Endpoint
from api.http import problems
from api.http.responses import Answer, Header, json_answer
from api.streams.long_poll import applied, until_finished, wanted_seconds
from infrastructure.concurrency.batching import Overloaded
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import queries
from infrastructure.postgres.jobs.submission import Accepted, KeyReused, Repeated
from producers.submission.submitter import JobOptions, concurrency
from schemas.commands import Command, path_of
from schemas.jobs import ConcurrencyKey, ConcurrencyLimit, Job, JobState, Priority
from schemas.model import Model
from schemas.problems import FieldProblem
from schemas.timestamps import EARLIEST, Moment

LONGEST_KEY = 200
DEADLINE_PASSED = "must lie in the future, and after run_at"
HALF_A_CAP = "is required with the other"
REPLAYED: Header = (b"idempotency-replayed", b"true")

C = TypeVar("C", bound=Command)


class JobOptionsQuery(Model):
    """Options of a submitted job."""

    priority: Priority = 5
    """9 goes first."""
    run_at: Moment | None = None
    """Not before this time (RFC 3339)."""
    deadline: Moment | None = None
    """No attempt begins after this time (RFC 3339)."""
    concurrency_key: ConcurrencyKey | None = None
    """Jobs with the same key share a concurrency limit, such as those of one customer. Needs concurrency_limit."""
    concurrency_limit: ConcurrencyLimit | None = None
    """The most jobs with that key in flight at a time; the others wait."""


def command_endpoint(
    command: type[C],
    handle: Callable[[Call[C, JobOptionsQuery]], Awaitable[Answer]] | None = None,
    *,
    body: type[C] | None = None,
    many: bool = False,
) -> Endpoint[C, JobOptionsQuery]:
    """The endpoint that submits a command as a job. Its summary and description are the command's docstring. `body` is what it
    takes, if that isn't the command alone."""
    summary, _, more = " ".join((command.__doc__ or command.kind).split()).removesuffix(".").partition(". ")
    return Endpoint(
        method="POST",
        path=path_of(command),
        aliases=command.aliases,
        summary=summary,
        description=f"{more}\n\nSubmits a job of kind `{command.kind}`. 202 means that the job is stored. {_tries(command)}".strip(),
        handle=handle or accept,
        body=body or command,
        query=JobOptionsQuery,
        answers={202: Job, 200: Job},
        scope=Scope(command.scope),
        headers=("idempotency-key", "prefer"),
        problems=(422,),
        many=many,
    )


def _tries(command: type[Command]) -> str:
    policy = command.retry
    never = f" Never after {', '.join(sorted(policy.never))}." if policy.never else ""
    return (
        f"Tried up to {command.max_attempts} times; the waits in between double from {policy.base_seconds:g} s to "
        f"{policy.most_seconds:g} s at the most, with {policy.jitter} jitter.{never}"
    )


async def accept(call: Call[C, JobOptionsQuery]) -> Answer:
    """202 with the job once it is committed; 200 when the client waited (`Prefer: wait`) and it has ended."""
    options = _job_options(call)
    command = await pinned(call, call.body)
    await call.admit_jobs()
    submission = await call.ingress.submitter.submit(call.tenant_id, command, options)
    headers: tuple[Header, ...] = ()
    match submission:
        case KeyReused():
            raise problems.key_reused()
        case Accepted(job_id):
            job = _as_accepted(call, options, job_id)
        case Repeated(job_id):
            headers = (REPLAYED,)
            job = await _as_it_stands(call, job_id)
    seconds = wanted_seconds(call.headers)
    if seconds is not None:
        headers += (applied(seconds),)
        job = job if job.finished else await _awaited(call, job, seconds)
    location = (b"location", f"/api/jobs/{job.id}".encode())
    return json_answer(200 if job.finished else 202, job, location, *headers)


def _job_options(call: Call[C, JobOptionsQuery]) -> JobOptions:
    query = call.query
    if deadline_passed(query.run_at, query.deadline, call.ingress.clock.now()):
        raise problems.invalid_query([FieldProblem(pointer="/query/deadline", detail=DEADLINE_PASSED)])
    if missing := half_of_a_cap(query.concurrency_key, query.concurrency_limit):
        raise problems.invalid_query([FieldProblem(pointer=f"/query/{missing}", detail=HALF_A_CAP)])
    return JobOptions(
        concurrency=concurrency(query.concurrency_key, query.concurrency_limit),
        priority=query.priority,
        run_at=query.run_at,
        deadline=query.deadline,
        correlation_id=call.correlation_id,
        traceparent=call.trace.traceparent,
        idempotency_key=idempotency_key(call.headers.get("idempotency-key")),
        sent=call.body,
    )


def half_of_a_cap(key: str | None, limit: int | None) -> str | None:
    """The missing field if only one of the two is given, else None."""
    if (key is None) is (limit is None):
        return None
    return "concurrency_key" if key is None else "concurrency_limit"


def deadline_passed(run_at: datetime | None, deadline: datetime | None, now: datetime) -> bool:
    """Whether the deadline is past, or not after `run_at`: then no attempt could begin."""
    return deadline is not None and deadline <= max(run_at or EARLIEST, now)


def idempotency_key(given: str | None) -> str | None:
    """The Idempotency-Key, or None. Raises a Refusal (400) if it is invalid."""
    if given is None:
        return None
    if not (0 < len(given) <= LONGEST_KEY and given.isascii() and given.isprintable()):
        raise problems.invalid_header("Idempotency-Key", f"must have 1 to {LONGEST_KEY} printable ASCII characters")
    return given


def _as_accepted(call: Call[C, JobOptionsQuery], options: JobOptions, job_id: Any) -> Job:
    """The job as just stored, without reading it back from PostgreSQL."""
    now = call.ingress.clock.now()
    later = options.run_at is not None and options.run_at > now
    return Job(
        id=job_id,
        kind=call.body.kind,
        queue=call.body.queue,
        state=JobState.SCHEDULED if later else JobState.QUEUED,
        priority=options.priority,
        attempt=0,
        max_attempts=call.body.max_attempts,
        created_at=now,
        run_at=options.run_at or now,
        deadline=options.deadline,
        correlation_id=options.correlation_id,
    )


async def _as_it_stands(call: Call[C, JobOptionsQuery], job_id: Any) -> Job:
    job = await call.db.run(queries.job, job_id)
    if job is None:
        # The idempotency key exists but its job doesn't: only a manual deletion does that.
        raise problems.not_found("job")
    return job


async def _awaited(call: Call[C, JobOptionsQuery], job: Job, seconds: int) -> Job:
    try:
        return await until_finished(call.ingress, call.principal, job.id, seconds) or job
    except (Unavailable, Overloaded, problems.Refusal):
        # The job is stored, which is what the client must learn. A client whose key was revoked learns no more.
        return job
