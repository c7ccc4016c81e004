"""The outcomes of a run, and the settlement that each leads to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from events.envelope import DomainEvent
from events.jobs import JobEvent
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.jobs.settlement import Settlement
from infrastructure.postgres.jobs.submission import NewJob
from infrastructure.postgres.jobs.sweep import WAIT_CHECK_SECONDS
from kinds.run import AwaitChildren
from monitoring.errors.fingerprints import fingerprint
from schemas.bounds import OutOfBounds, check_command, check_result
from schemas.commands import Command, RetryPolicy
from schemas.jobs import JobState, Trigger, transition
from schemas.problems import Problem
from workers.runtime.settling.retry import Failure, GiveUp, RetryIn, decide

MAX_NEW_JOBS = 1_000
"""How many jobs one run may wait for, or start with its end."""
UNSTORABLE = Problem.of("result-unstorable", "The result can't be stored", 500, "It holds a value no JSON store takes.")


class Stop(StrEnum):
    """Why the worker stopped a run."""

    CANCELLED = "cancelled"
    """Its owner cancelled the job, which has ended with that: there is nothing to settle."""
    REVOKED = "revoked"
    """An operator revoked it through Celery or Flower."""
    DRAINING = "draining"
    LEASE_LOST = "lease lost"
    TIME_LIMIT = "time limit"
    WAITED = "waited"
    """It waited too long for a slot or for something others hold; another worker may be free."""


@dataclass(frozen=True, slots=True)
class Done:
    event: DomainEvent | None
    then: tuple[Command, ...] = ()
    """What follows it, each as a job of its own."""


@dataclass(frozen=True, slots=True)
class AwaitingChildren:
    children: AwaitChildren


@dataclass(frozen=True, slots=True)
class Failed:
    failure: Failure


@dataclass(frozen=True, slots=True)
class Stopped:
    reason: Stop


Outcome = Done | AwaitingChildren | Failed | Stopped


def time_limit_exceeded(seconds: float) -> Failure:
    problem = Problem.of("time-limit", "The run took too long", 504, f"It was ended after {seconds:g} s.")
    return Failure(problem, retryable=True)


def settlement_of(
    claimed: Claimed,
    outcome: Outcome,
    *,
    now: Callable[[], datetime],
    dice: Callable[[], float],
    policy: RetryPolicy = Command.retry,
) -> Settlement | None:
    """The settlement of this outcome; None when nothing may be stored. `now`: by PostgreSQL's clock."""
    try:
        return _settlement_of(claimed, outcome, policy, now, dice)
    except OutOfBounds as error:
        problem = Problem.of(
            "result-out-of-bounds", "The result is larger or deeper than what is kept", 500, f"{error}."
        )
        return _failed_for_good(claimed, Trigger.FAIL, JobEvent.FAILED, problem)
    except ValueError:  # The result can't be written as JSON, for example because of a lone surrogate.
        return _failed_for_good(claimed, Trigger.FAIL, JobEvent.FAILED, UNSTORABLE)


def _settlement_of(
    claimed: Claimed,
    outcome: Outcome,
    policy: RetryPolicy,
    now: Callable[[], datetime],
    dice: Callable[[], float],
) -> Settlement | None:
    match outcome:
        case Done(event, then):
            return _succeeded(claimed, event, then)
        case AwaitingChildren(awaited):
            return _waiting(claimed, awaited)
        case Failed(failure):
            return _failed(claimed, failure, policy, now(), dice())
        case Stopped(Stop.DRAINING | Stop.WAITED):
            return released(claimed.id, claimed.token)
        case Stopped(Stop.REVOKED):
            return _revoked(claimed)
        case Stopped(Stop.TIME_LIMIT):
            raise AssertionError("a run over its time limit is Failed")
        case Stopped():
            return None


def _succeeded(claimed: Claimed, event: DomainEvent | None, then: Sequence[Command]) -> Settlement:
    _check_number(then, "starts")
    result = None if event is None else event.model_dump_json()
    if result is not None:
        check_result(result)
    return Settlement(
        claimed.id,
        claimed.token,
        transition(JobState.RUNNING, Trigger.SUCCEED),
        JobEvent.SUCCEEDED,
        domain_event=None if event is None else event.type,
        result=result,
        new_jobs=tuple(_caused_by(claimed, command) for command in then),
    )


def _waiting(claimed: Claimed, awaited: AwaitChildren) -> Settlement:
    _check_number(awaited.commands, "waits for")
    children = tuple(child_of(claimed, command) for command in awaited.commands)
    return Settlement(
        claimed.id,
        claimed.token,
        transition(JobState.RUNNING, Trigger.AWAIT),
        JobEvent.WAITING,
        job_event_data=_json({"children": [str(child.id) for child in children]}),
        due_seconds=WAIT_CHECK_SECONDS,
        uncounted=True,
        new_jobs=children,
    )


def _check_number(commands: Sequence[Command], verb: str) -> None:
    if len(commands) > MAX_NEW_JOBS:
        raise OutOfBounds(f"the run {verb} {len(commands):,} jobs; at most {MAX_NEW_JOBS:,} are taken of one run")


def child_of(claimed: Claimed, command: Command) -> NewJob:
    """A child job of the same tenant, linked to its parent. Raises OutOfBounds when the command is too large or too deep."""
    return replace(_caused_by(claimed, command), parent_id=claimed.id)


def _caused_by(claimed: Claimed, command: Command) -> NewJob:
    body = command.model_dump_json()
    check_command(body)
    return NewJob(
        id=uuid7(),
        tenant_id=claimed.tenant_id,
        kind=command.kind,
        version=command.version,
        queue=command.queue,
        priority=claimed.priority,
        max_attempts=command.max_attempts,
        command=body,
        correlation_id=claimed.correlation_id or claimed.id,
        causation_id=claimed.id,
        traceparent=claimed.traceparent,
    )


def _failed(claimed: Claimed, failure: Failure, policy: RetryPolicy, now: datetime, dice: float) -> Settlement:
    match decide(
        failure,
        policy,
        attempt=claimed.attempt,
        max_attempts=claimed.max_attempts,
        now=now,
        deadline=claimed.deadline,
        dice=dice,
    ):
        case RetryIn(seconds):
            stored = _stored(claimed.kind, failure.problem.bounded())
            return Settlement(
                claimed.id,
                claimed.token,
                transition(JobState.RUNNING, Trigger.RETRY),
                JobEvent.RETRYING,
                job_event_data=_event_data(claimed, stored),
                problem=stored.problem,
                fingerprint=stored.fingerprint,
                due_seconds=seconds,
                uncounted=not failure.counted,
            )
        case GiveUp(spent=True):
            return _failed_for_good(claimed, Trigger.BURY, JobEvent.DEAD, failure.problem)
        case GiveUp():
            return _failed_for_good(claimed, Trigger.FAIL, JobEvent.FAILED, failure.problem)


def released(job_id: UUID, token: UUID) -> Settlement:
    """Releases the job: the run isn't counted as an attempt, and the job may be claimed at once."""
    return Settlement(
        job_id,
        token,
        transition(JobState.RUNNING, Trigger.RELEASE),
        JobEvent.RELEASED,
        due_seconds=0.0,
        uncounted=True,
    )


def unstorable(settlement: Settlement, kind: str) -> Settlement:
    """The settlement of a run whose result can't be stored: it fails for good."""
    stored = _stored(kind, UNSTORABLE)
    return Settlement(
        settlement.job_id,
        settlement.token,
        transition(JobState.RUNNING, Trigger.FAIL),
        JobEvent.FAILED,
        job_event_data=_json({"problem": orjson.Fragment(stored.problem)}),
        problem=stored.problem,
        fingerprint=stored.fingerprint,
    )


def _failed_for_good(claimed: Claimed, trigger: Trigger, event: JobEvent, problem: Problem) -> Settlement:
    stored = _stored(claimed.kind, problem.bounded())
    return Settlement(
        claimed.id,
        claimed.token,
        transition(JobState.RUNNING, trigger),
        event,
        job_event_data=_event_data(claimed, stored),
        problem=stored.problem,
        fingerprint=stored.fingerprint,
    )


def _revoked(claimed: Claimed) -> Settlement:
    state = transition(JobState.RUNNING, Trigger.CANCEL)
    return Settlement(claimed.id, claimed.token, state, JobEvent.CANCELLED, job_event_data=_json({"by": "operator"}))


class _StoredProblem(NamedTuple):
    """A problem as it is stored in the job's row and event."""

    problem: str
    """JSON text."""
    fingerprint: str


# When many jobs fail it is mostly for one reason, and serialising it costs as much as a whole successful run.
@lru_cache(maxsize=500)
def _stored(kind: str, problem: Problem) -> _StoredProblem:
    return _StoredProblem(problem.model_dump_json(exclude_defaults=True), fingerprint(kind, problem))


def _event_data(claimed: Claimed, stored: _StoredProblem) -> str:
    return _json({"attempt": claimed.attempt, "problem": orjson.Fragment(stored.problem)})


def _json(data: dict[str, object]) -> str:
    return orjson.dumps(data).decode()
