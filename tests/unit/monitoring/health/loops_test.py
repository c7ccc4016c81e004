"""What `/healthz` reports of stalled loops: nothing that a server which is away explains."""

import pytest

from monitoring.health.loops import EVENT_LOOP, faults_of
from schemas.health import Part, PartState, Readiness, Ready


def _ready(state: PartState) -> Ready:
    return Ready(status=Readiness.DEGRADED, parts=(Part(name="postgres", state=state, milliseconds=1.0),))


def test_a_stalled_loop_is_named_while_every_server_answers() -> None:
    assert faults_of(["sweep"], _ready(PartState.OK)) == ["the loop 'sweep' has stalled"]


@pytest.mark.parametrize("state", [PartState.FAILED, PartState.DEGRADED, PartState.UNKNOWN])
def test_what_may_wait_for_a_server_that_is_away_is_not_reported_and_a_blocked_event_loop_is(state: PartState) -> None:
    assert faults_of(["sweep"], _ready(state)) == []
    assert faults_of(["sweep", EVENT_LOOP], _ready(state)) == [f"the loop '{EVENT_LOOP}' has stalled"]
