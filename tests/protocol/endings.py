"""The ways a run may end in the state machine, and what each is to the model."""

from typing import ClassVar

from events.envelope import DomainEvent
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.jobs.settlement import Settlement
from kinds.run import AwaitChildren
from schemas.commands import Command
from schemas.jobs import JobState, Trigger
from schemas.problems import Problem
from workers.runtime.settling.outcomes import AwaitingChildren, Done, Failed, Outcome, Stop, Stopped, settlement_of
from workers.runtime.settling.retry import Failure

TRIGGERS: dict[JobState, Trigger] = {
    JobState.SUCCEEDED: Trigger.SUCCEED,
    JobState.RETRYING: Trigger.RETRY,
    JobState.FAILED: Trigger.FAIL,
    JobState.DEAD: Trigger.BURY,
    JobState.CANCELLED: Trigger.CANCEL,
    JobState.QUEUED: Trigger.RELEASE,
    JobState.WAITING: Trigger.AWAIT,
}


class Errand(Command):
    kind: ClassVar[str] = "probe.errand"
    queue: ClassVar[str] = "ai"


class Ran(DomainEvent):
    type: ClassVar[str] = "probe.ran"


PROBLEM = Problem.of("broke", "It broke", 500)
OUTCOMES: tuple[Outcome, ...] = (
    Done(Ran()),
    Done(None),
    Done(Ran(), (Errand(), Errand())),
    Failed(Failure(PROBLEM, retryable=True, retry_after_seconds=3_000.0)),
    Failed(Failure(PROBLEM, retryable=False)),
    AwaitingChildren(AwaitChildren((Errand(), Errand()))),
    Stopped(Stop.DRAINING),
    Stopped(Stop.REVOKED),
)


def settlement(run: Claimed, outcome: Outcome) -> Settlement:
    ended = settlement_of(run, outcome, now=lambda: run.claimed_at, dice=lambda: 0.5)
    assert ended is not None
    return ended
