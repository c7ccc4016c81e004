"""The failures of runs that no handler names: what the run itself finds wrong, and whatever a handler raises."""

from datetime import datetime, timedelta
from functools import lru_cache
from types import NoneType
from typing import Any

from pydantic import ValidationError

from infrastructure.ports import Away, Unavailable
from infrastructure.postgres.jobs.claim import Claimed
from monitoring.errors.failures import describe_failure
from schemas.problems import NOT_UNDERSTOOD, FieldProblem, Problem
from workers.runtime.handler import Handler
from workers.runtime.settling.retry import Failure

MAX_MESSAGE_CHARACTERS = 1_000
MAX_WAITED = timedelta(days=1)
"""A job that no worker understood, or whose server was away, for so long is dead; until then its runs aren't counted as
attempts."""
MIN_WAIT_SECONDS, MAX_WAIT_SECONDS = 1.0, 30.0
"""Bounds of the delay before such a job is tried again; it grows with the time since the first try."""


def too_late(deadline: datetime) -> Failure:
    detail = f"Its deadline was {deadline.isoformat()}; no worker was free before."
    return Failure(Problem.of("deadline-passed", "The deadline passed", 504, detail), retryable=True)


def not_understood(claimed: Claimed, now: datetime) -> Failure:
    # In a rolling deploy another worker may know the command.
    detail = f"This worker has no handler for {claimed.kind} version {claimed.version}; start one that has, from the release or with the package (BUCATINI_JOBS) that brings it."
    return _waited_for(claimed, Problem.of(NOT_UNDERSTOOD, "The worker doesn't know this command", 501, detail), now)


def unavailable(claimed: Claimed, error: Unavailable, now: datetime) -> Failure:
    problem = Problem.of("unavailable", "Something this job needs can't be reached", 503, storable(str(error)))
    if isinstance(error, Away):
        return _waited_for(claimed, problem, now)
    return Failure(problem, retryable=True, retry_after_seconds=error.retry_after_seconds)


def _waited_for(claimed: Claimed, problem: Problem, now: datetime) -> Failure:
    """Not counted as an attempt: nothing is wrong with the job."""
    since = now if claimed.troubled_since is None else datetime.fromisoformat(claimed.troubled_since)
    return Failure(
        problem.model_copy(update={"since": since}),
        retryable=True,
        wait_seconds=min(max((now - since).total_seconds(), MIN_WAIT_SECONDS), MAX_WAIT_SECONDS),
        counted=False,
        until=since + MAX_WAITED,
    )


def undeclared(handler: Handler[Any], answer: object) -> Failure:
    declared = " or ".join("None" if one is NoneType else one.__name__ for one in handler.answers)
    detail = f"The function of {handler.kind} returned {type(answer).__name__}; it declares {declared}."
    return Failure(Problem.of("result-undeclared", "The result isn't of a declared type", 500, detail), retryable=False)


def invalid(error: ValidationError) -> Failure:
    # Only where and why: the values may be confidential.
    errors = tuple(
        FieldProblem(pointer="/" + "/".join(map(str, one["loc"])), detail=one["msg"]) for one in error.errors()[:20]
    )
    return Failure(Problem.of("invalid", "A value doesn't fit its schema", 422, errors=errors), retryable=False)


def storable(message: str) -> str:
    # An adapter's message may quote an answer: PostgreSQL takes no null characters and no lone surrogates; and it is cut.
    return message[:MAX_MESSAGE_CHARACTERS].replace("\x00", "").encode("utf-8", "replace").decode()


def crashed(error: BaseException) -> Failure:
    return _crashed_there(describe_failure(error))


@lru_cache(maxsize=500)
def _crashed_there(detail: str) -> Failure:
    # Most failures have the same cause, so the problem is cached.
    return Failure(Problem.of("handler-crashed", "The handler failed unexpectedly", 500, detail), retryable=True)
