"""Machines whose clocks are wrong: every time that decides anything is PostgreSQL's, whoever acts on it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from infrastructure.local_stack.processes import Running
from producers.submit import Terms
from tests.probe import LeaveMark, Misbehave, Nothing
from tests.releases import GreetMany
from tests.system import System
from tests.waiting import wait_until

LIBRARIES = tuple(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
"""It sets the clock for all of a process, its libraries in C and Rust included."""
AHEAD, BEHIND = 600.0, -600.0

Start = Callable[..., Running]


@pytest.fixture(params=["its own clock", "libfaketime"])
def start(request: pytest.FixtureRequest, system: System) -> Start:
    """Starts a module of the product or the tests with a clock that is so many seconds ahead."""
    if request.param == "libfaketime" and not LIBRARIES:
        pytest.skip("libfaketime isn't here: apt-get install faketime")

    def start(seconds: float, module: str, *arguments: str, **environment: str) -> Running:
        if request.param == "libfaketime":
            faked = {
                "LD_PRELOAD": str(LIBRARIES[0]),
                "FAKETIME": f"{seconds:+.0f}s",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            return system.start(module, *arguments, **environment, **faked, DONT_FAKE_MONOTONIC="1")
        return system.start("tests.skewed", str(seconds), module, *arguments, **environment)

    return start


def _now(system: System) -> datetime:
    now: datetime = system.read("SELECT clock_timestamp()")[0][0]
    return now


@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_a_worker_whose_clock_is_wrong_keeps_deadlines_as_postgresql_has_them(
    system: System, start: Start, seconds: float
) -> None:
    system.dispatcher()
    now = _now(system)
    (in_time,) = system.submit(LeaveMark(), terms=Terms(deadline=now + timedelta(minutes=5)))
    (too_late,) = system.submit(LeaveMark(), terms=Terms(deadline=now - timedelta(minutes=5)))

    start(seconds, "tests.probe", "ai")

    assert system.await_state(in_time, "succeeded", "dead") == "succeeded"
    assert system.await_state(too_late, "succeeded", "dead") == "dead"
    assert system.problem(too_late)["type"].endswith("/deadline-passed")
    assert system.marks(too_late) == []


@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_what_a_worker_with_a_wrong_clock_hands_back_may_run_at_once(
    system: System, start: Start, seconds: float
) -> None:
    system.dispatcher()
    leaving = start(seconds, "tests.probe", "ai", GRACE_SECONDS="0")
    (job_id,) = system.submit(LeaveMark(seconds=30))
    system.await_state(job_id, "running")
    began = _now(system)

    leaving.stop()

    assert system.timeline(job_id)[-1] == "job.released"
    ((run_at,),) = system.read("SELECT run_at FROM jobs WHERE id = %s", job_id)
    assert began <= run_at <= _now(system)
    system.worker()
    system.await_state(job_id, "running", within_seconds=10)


@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_retries_are_due_by_the_clock_of_postgresql(system: System, start: Start, seconds: float) -> None:
    system.dispatcher()
    start(seconds, "tests.probe", "ai")
    began = _now(system)

    failing, child_of = system.submit(Misbehave(how="raise", until_attempt=2), Misbehave(how="ask for patience"))

    system.await_state(failing, "succeeded")
    wait_until(lambda: "job.retrying" in system.timeline(child_of), "the other one is put off")
    for row in system.read("SELECT data FROM job_events WHERE type = 'job.retrying'"):
        due = datetime.fromisoformat(row[0]["due"])
        assert began <= due <= _now(system) + timedelta(seconds=10)


@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_since_when_a_command_is_not_understood_is_told_by_postgresql(
    system: System, start: Start, seconds: float
) -> None:
    began = _now(system)
    start(seconds, "tests.releases", "1")
    (job_id,) = system.submit(GreetMany(names=("Ada",)))

    system.await_state(job_id, "retrying")

    assert began <= datetime.fromisoformat(system.problem(job_id)["since"]) <= _now(system)


@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_a_dispatcher_whose_clock_is_wrong_brings_on_what_is_due_and_nothing_else(
    system: System, start: Start, seconds: float
) -> None:
    system.worker()
    start(seconds, "producers.dispatch")
    now = _now(system)
    (soon,) = system.submit(Nothing(), terms=Terms(run_at=now + timedelta(seconds=1)))
    (later,) = system.submit(Nothing(), terms=Terms(run_at=now + timedelta(minutes=5)))

    system.await_state(soon, "succeeded")

    assert system.state(later) == "scheduled"
    assert system.read("SELECT count(*) FROM workers WHERE dead_at IS NOT NULL") == [(0,)]
