"""The job state machine: allowed and forbidden transitions, and that every path leads to a final state."""

from itertools import product

import pytest

from events.jobs import ENDINGS
from schemas.jobs import TERMINAL, TRANSITIONS, IllegalTransition, JobState, Trigger, states_that_allow, transition

FORBIDDEN = [pair for pair in product(JobState, Trigger) if pair not in TRANSITIONS]
BEGINNINGS = frozenset({JobState.SCHEDULED, JobState.QUEUED})


@pytest.mark.parametrize(("state", "trigger"), FORBIDDEN)
def test_what_the_table_does_not_allow_is_refused(state: JobState, trigger: Trigger) -> None:
    with pytest.raises(IllegalTransition, match=f"a {state} job can't {trigger}"):
        transition(state, trigger)


@pytest.mark.parametrize(("state", "trigger"), TRANSITIONS)
def test_what_the_table_allows_happens(state: JobState, trigger: Trigger) -> None:
    assert transition(state, trigger) is TRANSITIONS[state, trigger]
    assert state in states_that_allow(trigger)


def test_a_job_that_has_ended_can_only_be_replayed() -> None:
    allowed = {trigger for state, trigger in TRANSITIONS if state in TERMINAL}

    assert allowed == {Trigger.REPLAY}
    assert JobState.SUCCEEDED not in states_that_allow(Trigger.REPLAY), "what is done isn't done again"


def test_every_state_can_come_about() -> None:
    assert _reachable(BEGINNINGS) == set(JobState)


@pytest.mark.parametrize("state", sorted(set(JobState) - TERMINAL))
def test_every_unfinished_job_can_still_end_in_every_way(state: JobState) -> None:
    assert _reachable({state}) >= TERMINAL


@pytest.mark.parametrize("state", sorted(set(JobState) - TERMINAL))
def test_every_unfinished_job_can_be_cancelled(state: JobState) -> None:
    assert transition(state, Trigger.CANCEL) is JobState.CANCELLED


def test_every_end_has_its_event() -> None:
    assert set(ENDINGS.values()) == TERMINAL


def _reachable(beginnings: set[JobState] | frozenset[JobState]) -> set[JobState]:
    reached = set(beginnings)
    while more := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= more
    return reached
