"""Reads a job's timeline back into what became of the job: every entry must be a step the table of states allows."""

from collections.abc import Iterable
from typing import NamedTuple

from events.jobs import ENDINGS, JobEvent
from schemas.jobs import TERMINAL, JobState, Trigger, transition

TRIGGERS: dict[str, Trigger] = {
    JobEvent.STARTED: Trigger.CLAIM,
    JobEvent.RETRYING: Trigger.RETRY,
    JobEvent.RELEASED: Trigger.RELEASE,
    JobEvent.REQUEUED: Trigger.LOSE,
    JobEvent.WAITING: Trigger.AWAIT,
    JobEvent.RESUMED: Trigger.RESUME,
    JobEvent.REPLAYED: Trigger.REPLAY,
    JobEvent.SUCCEEDED: Trigger.SUCCEED,
    JobEvent.FAILED: Trigger.FAIL,
    JobEvent.DEAD: Trigger.BURY,
    JobEvent.CANCELLED: Trigger.CANCEL,
}
"""What each durable event says happened."""
NO_STEP = frozenset({JobEvent.DISCARDED})
WITHHOLDING = frozenset({JobEvent.CAPPED, JobEvent.ADMITTED, JobEvent.HELD, JobEvent.HOLD_LIFTED})
"""Of what waits for others under its cap: it stays queued."""


class Told(NamedTuple):
    """What a timeline says of its job."""

    state: JobState
    starts: int
    ends: int
    """Terminal events, since it was last replayed."""
    ends_of_attempt: int
    """Events that ended a run, since the last start."""
    discarded: int


def read_timeline(entries: Iterable[tuple[int, str]]) -> Told:
    """What (seq, type) entries tell. AssertionError or IllegalTransition when they can't be the story of a job."""
    told: Told | None = None
    domain_event: str | None = None
    for expected, (seq, kind) in enumerate(entries, start=1):
        assert seq == expected, f"entry {expected} of the timeline is numbered {seq}"
        if told is None:
            assert kind in (JobEvent.QUEUED, JobEvent.SCHEDULED), f"a timeline begins with {kind}"
            told = Told(JobState(kind.removeprefix("job.")), 0, 0, 0, 0)
        elif not kind.startswith("job."):
            domain_event = kind
        else:
            assert domain_event is None or kind == JobEvent.SUCCEEDED, f"{domain_event} came to {kind}"
            domain_event = None
            told = _after(told, kind)
    assert told is not None, "a job has no timeline"
    assert domain_event is None, f"{domain_event} belongs to no end"
    return told


def _after(told: Told, kind: str) -> Told:
    if kind in WITHHOLDING:
        return told
    if kind in NO_STEP:
        assert told.state not in TERMINAL, f"{kind} came after the end"
        return told._replace(discarded=told.discarded + 1)
    trigger = Trigger.COME_DUE if kind == JobEvent.QUEUED else TRIGGERS[kind]
    state = transition(told.state, trigger)
    was_run = told.state is JobState.RUNNING
    return Told(
        state=state,
        starts=told.starts + (trigger is Trigger.CLAIM),
        ends=0 if trigger is Trigger.REPLAY else told.ends + (kind in ENDINGS),
        ends_of_attempt=0 if trigger is Trigger.CLAIM else told.ends_of_attempt + was_run,
        discarded=told.discarded,
    )
