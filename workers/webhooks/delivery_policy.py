"""The decision after a delivery attempt: a pure function of the answer, the attempt, the time and a random number."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from infrastructure.ports.webhooks import Answered, NotReached, Sent
from schemas.problems import Problem
from schemas.webhooks import MAX_ATTEMPTS, PauseReason

GAPS_SECONDS = (5.0, 300.0, 1_800.0, 7_200.0, 14_400.0, 25_200.0, 36_000.0)
"""Delays between attempts: eight attempts in about a day."""
JITTER = 0.1
MAX_ASKED_SECONDS = 86_400.0
"""The limit of a receiver's Retry-After."""
FAILING_DAYS = 5
"""A webhook without a successful delivery for so long is paused."""
GONE = 410

assert len(GAPS_SECONDS) == MAX_ATTEMPTS - 1


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver accepted the event."""


@dataclass(frozen=True, slots=True)
class Again:
    problem: Problem
    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    problem: Problem


@dataclass(frozen=True, slots=True)
class Pause:
    """The webhook is paused: nothing more is sent to it."""

    problem: Problem
    reason: PauseReason


DeliveryDecision = Delivered | Again | GiveUp | Pause


def judge(sent: Sent, *, attempt: int, failing_since: datetime | None, now: datetime, dice: float) -> DeliveryDecision:
    """The decision after attempt number `attempt`, counted from 1; `dice` is uniform in [0, 1)."""
    if isinstance(sent, Answered) and 200 <= sent.status < 300:
        return Delivered()
    problem = problem_of(sent)
    if isinstance(sent, Answered) and sent.status == GONE:
        return Pause(problem, PauseReason.GONE)
    if failing_since is not None and now - failing_since >= timedelta(days=FAILING_DAYS):
        return Pause(problem, PauseReason.FAILING)
    if attempt >= MAX_ATTEMPTS:
        return GiveUp(problem)
    asked = min(sent.retry_after_seconds or 0.0, MAX_ASKED_SECONDS) if isinstance(sent, Answered) else 0.0
    # Jitter only adds, so that Retry-After is a minimum; it spreads deliveries that failed together.
    return Again(problem, max(asked, GAPS_SECONDS[attempt - 1]) * (1.0 + dice * JITTER))


def problem_of(sent: Sent) -> Problem:
    match sent:
        case NotReached(problem):
            return problem
        case Answered(status):
            detail = f"It answered {status}; 200 to 299 means that it has the event."
            return Problem.of("receiver-said-no", "The receiver didn't take the event", 502, detail)
