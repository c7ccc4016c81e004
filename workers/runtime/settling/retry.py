"""The retry decision after a failed run: a pure function of the failure, the policy, the time and a random number."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.commands import Jitter, RetryPolicy
from schemas.problems import Problem

MAX_WAIT_SECONDS = 3_600.0
"""No server may ask us to wait longer than this."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed, and whether another one may succeed."""

    problem: Problem
    retryable: bool
    retry_after_seconds: float | None = None
    wait_seconds: float | None = None
    """The handler's own delay, instead of the back-off."""
    counted: bool = True
    """Whether the run counts as an attempt."""
    until: datetime | None = None
    """No retry starts at or after this time."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """`spent`: the attempts or the time ran out; otherwise the failure isn't retryable."""

    spent: bool


def decide(
    failure: Failure,
    policy: RetryPolicy,
    *,
    attempt: int,
    max_attempts: int,
    now: datetime,
    deadline: datetime | None,
    dice: float,
) -> RetryIn | GiveUp:
    """Exponential back-off with jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    `attempt` counts from 1 and is the one that just failed; `dice` is uniform in [0, 1). What the failing side asked
    for by Retry-After is a minimum.
    """
    if not failure.retryable or failure.problem.name in policy.never:
        return GiveUp(spent=False)
    if failure.counted and attempt >= max_attempts:
        return GiveUp(spent=True)
    seconds = failure.wait_seconds
    if seconds is None:
        ceiling = min(policy.most_seconds, policy.base_seconds * 2.0 ** min(attempt - 1, 30))
        asked = min(failure.retry_after_seconds or 0.0, MAX_WAIT_SECONDS)
        seconds = asked + _share(policy.jitter, dice) * ceiling
    if any(end is not None and now + timedelta(seconds=seconds) >= end for end in (deadline, failure.until)):
        return GiveUp(spent=True)
    return RetryIn(seconds)


def _share(jitter: Jitter, dice: float) -> float:
    match jitter:
        case Jitter.FULL:
            return dice
        case Jitter.EQUAL:
            return (1.0 + dice) / 2.0
        case Jitter.NONE:
            return 1.0
