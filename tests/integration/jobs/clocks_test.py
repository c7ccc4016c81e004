"""Machines whose clocks are wrong: every time that decides anything is PostgreSQL's, whoever acts on it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest

from infrastructure.local_stack.servers.loopback import free_port
from infrastructure.local_stack.supervisor.processes import Running
from infrastructure.postgres.clock import SKEW_SECONDS
from infrastructure.postgres.tenants.api_keys import create_first_admin_key
from producers.submission.submitter import JobOptions
from tests.integration.serving import DOCUMENT, PROCESS
from tests.probe import LeaveMark, Misbehave, Nothing
from tests.releases import GreetMany
from tests.system import System
from tests.waiting import wait_until

AHEAD, BEHIND = 600.0, -600.0
NEARLY = timedelta(seconds=SKEW_SECONDS)

Start = Callable[..., Running]


def _start_skewed(system: System, seconds: float, module: str, *arguments: str, **environment: str) -> Running:
    """With a clock of its own that is so many seconds ahead."""
    return system.start("tests.skewed", str(seconds), module, *arguments, **environment)


def _now(system: System) -> datetime:
    now: datetime = system.read("SELECT clock_timestamp()")[0][0]
    return now


@pytest.mark.parametrize("start", [_start_skewed], ids=["a clock of its own"])
@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_a_worker_whose_clock_is_wrong_keeps_to_the_times_that_postgresql_has(
    system: System, start: Start, seconds: float
) -> None:
    system.dispatcher()
    began = _now(system)
    (in_time,) = system.submit(LeaveMark(), terms=JobOptions(deadline=began + timedelta(minutes=5)))
    (too_late,) = system.submit(LeaveMark(), terms=JobOptions(deadline=began - timedelta(minutes=5)))
    failing, put_off = system.submit(Misbehave(how="raise", until_attempt=2), Misbehave(how="ask for patience"))
    (long,) = system.submit(LeaveMark(seconds=60))

    worker = start(system, seconds, "tests.probe", "ai", GRACE_SECONDS="0")

    assert system.await_state(in_time, "succeeded", "dead") == "succeeded"
    assert system.await_state(too_late, "succeeded", "dead") == "dead"
    assert system.problem(too_late)["type"].endswith("/deadline-passed")
    assert system.marks(too_late) == []
    system.await_state(failing, "succeeded")
    wait_until(lambda: "job.retrying" in system.timeline(put_off), "the other one is put off")
    for (told,) in system.read("SELECT data FROM job_events WHERE type = 'job.retrying'"):
        assert began <= datetime.fromisoformat(told["due"]) <= _now(system) + timedelta(seconds=10)

    system.await_state(long, "running")
    stopped = _now(system)
    worker.stop()
    ((run_at,),) = system.read("SELECT run_at FROM jobs WHERE id = %s", long)
    assert system.timeline(long)[-1] == "job.released"
    assert stopped <= run_at <= _now(system)
    system.worker()
    system.await_state(long, "running")


def test_since_when_a_command_is_not_understood_is_told_by_postgresql(system: System) -> None:
    began = _now(system)
    _start_skewed(system, AHEAD, "tests.releases", "1")
    (job_id,) = system.submit(GreetMany(names=("Ada",)))

    system.await_state(job_id, "retrying")

    assert began <= datetime.fromisoformat(system.problem(job_id)["since"]) <= _now(system)


@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_a_dispatcher_whose_clock_is_wrong_brings_on_what_is_due_and_nothing_else(
    system: System, seconds: float
) -> None:
    system.worker()
    _start_skewed(system, seconds, "producers.dispatcher", RETENTION_HOURS="0.1")
    now = _now(system)
    (soon,) = system.submit(Nothing(), terms=JobOptions(run_at=now + timedelta(seconds=1)))
    (later,) = system.submit(Nothing(), terms=JobOptions(run_at=now + timedelta(minutes=5)))

    system.await_state(soon, "succeeded")

    assert system.state(later) == "scheduled"
    assert system.read("SELECT count(*) FROM workers WHERE dead_at IS NOT NULL") == [(0,)]


@pytest.mark.parametrize("seconds", [AHEAD, BEHIND])
def test_an_ingress_whose_clock_is_wrong_tells_and_takes_times_as_postgresql_has_them(
    system: System, seconds: float
) -> None:
    key = create_first_admin_key(system.settings.database)
    ports = free_port(), free_port()
    wrong, right = (f"http://127.0.0.1:{port}" for port in ports)
    ingress = _start_skewed(system, seconds, "api", API_PORT=str(ports[0]))
    system.start("api", API_PORT=str(ports[1]))
    began = _now(system)
    with httpx.Client(base_url=wrong, headers={"authorization": f"Bearer {key}"}, trust_env=False) as http:
        in_time = http.post(PROCESS, json=DOCUMENT, params={"deadline": (began + timedelta(minutes=5)).isoformat()})
        too_late = http.post(PROCESS, json=DOCUMENT, params={"deadline": (began - timedelta(minutes=5)).isoformat()})
        wanted = {"name": "often", "cron": "* * * * *", "kind": "ai.process_document", "command": DOCUMENT}
        schedule = http.post("/api/schedules", json=wanted)
        job = in_time.json()["id"]
        token = http.post(f"/api/jobs/{job}/token", json={"ttl_seconds": 120}).json()
        why = http.get(f"/api/jobs/{job}/why").json()
    ended = _now(system)

    assert (in_time.status_code, too_late.status_code) == (202, 422)
    assert began - NEARLY <= datetime.fromisoformat(in_time.json()["created_at"]) <= ended + NEARLY
    assert began < datetime.fromisoformat(schedule.json()["next_at"]) <= ended + timedelta(minutes=1)
    assert abs(datetime.fromisoformat(token["expires_at"]) - ended - timedelta(seconds=120)) < timedelta(seconds=30)
    assert why["state"] == "queued"
    for url in (wrong, right):
        seen = httpx.get(
            f"{url}/api/jobs/{job}", headers={"authorization": f"Bearer {token['token']}"}, trust_env=False
        )
        assert seen.status_code == 200
    assert ingress.said("this machine's clock is")
