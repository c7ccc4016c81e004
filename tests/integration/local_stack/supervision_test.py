"""What keeps the local stack's servers and processes running together."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis

from infrastructure.local_stack.part import ProcessSpec
from infrastructure.local_stack.servers.redis import RedisServer
from infrastructure.local_stack.supervisor.processes import PartFailed
from infrastructure.local_stack.supervisor.stack import MAX_RESTARTS, Notice, Restarted, Restarting, Stack, Started

OBEDIENT = "import time; print('ready: ', flush=True); time.sleep(600)"


def _spec(folder: Path, name: str, code: str, ready_within_seconds: float = 20.0) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        arguments=("-c", code),
        environment={"NAME": name},
        log=folder / f"{name}.log",
        ready=lambda running: running.said("ready: "),
        ready_within_seconds=ready_within_seconds,
        grace_seconds=5.0,
    )


def test_processes_are_started_side_by_side_and_stopped_together(tmp_path: Path) -> None:
    notices: list[Notice] = []
    stack = Stack(notices.append)

    stack.start_processes([_spec(tmp_path, "one", OBEDIENT), _spec(tmp_path, "two", OBEDIENT)])
    pids = [recorded.identity.pid for recorded in stack.recorded() if recorded.identity]
    stack.stop()

    assert {notice.name for notice in notices if isinstance(notice, Started)} == {"one", "two"}
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_process_that_is_killed_is_started_again_and_said_so(tmp_path: Path) -> None:
    notices: list[Notice] = []
    stack = Stack(notices.append)
    stack.start_processes([_spec(tmp_path, "worker", OBEDIENT)])
    (before,) = stack.recorded()

    assert before.identity
    os.kill(before.identity.pid, signal.SIGKILL)
    stack.tend_until(_within(lambda: Restarted("worker") in notices))
    (after,) = stack.recorded()
    stack.stop()

    assert after.identity
    assert before.identity
    assert after.identity.pid != before.identity.pid
    assert Restarting("worker", "SIGKILL", 0.5, tmp_path / "worker.log") in notices


def test_a_server_that_is_killed_is_started_again_on_its_old_address(tmp_path: Path) -> None:
    notices: list[Notice] = []
    stack = Stack(notices.append)
    server = RedisServer(tmp_path)
    stack.start_server(server)

    server.kill()
    stack.tend_until(_within(lambda: Restarted("redis") in notices))

    with redis.Redis.from_url(server.url) as client:
        assert client.ping()
    stack.stop()
    assert server.exit_code == 0


def test_a_process_that_ends_again_and_again_ends_the_stack_with_its_log_named(tmp_path: Path) -> None:
    notices: list[Notice] = []
    stack = Stack(notices.append, first_pause_seconds=0.001)
    stack.start_processes([_spec(tmp_path, "worker", "print('ready: ', flush=True)")])

    with pytest.raises(PartFailed, match=r"worker ends again and again \(exit code 0\): see .*worker\.log"):
        stack.tend_until(_within(lambda: False))

    assert sum(isinstance(notice, Restarting) for notice in notices) == MAX_RESTARTS


def test_a_part_that_is_started_again_stays_on_the_record_and_says_why(tmp_path: Path) -> None:
    seen: list[tuple[str, str, bool]] = []

    def note(notice: Notice) -> None:
        seen.extend((part.state, part.detail, part.identity is not None) for part in stack.recorded())

    stack = Stack(note)
    stack.start_processes([_spec(tmp_path, "worker", OBEDIENT)])
    (before,) = stack.recorded()
    assert before.identity is not None

    os.kill(before.identity.pid, signal.SIGKILL)
    stack.tend_until(_within(lambda: ("restarting", "SIGKILL", False) in seen and seen[-1][0] == "running"))
    stack.stop()

    states = list(dict.fromkeys(state for state, _, _ in seen[1:]))
    assert states == ["restarting", "starting", "running"]


def test_who_is_patient_starts_again_what_ends_and_ends_until_it_works(tmp_path: Path) -> None:
    notices: list[Notice] = []
    stack = Stack(notices.append, first_pause_seconds=0.001, patient_pause_seconds=0.01)
    mended = tmp_path / "mended"
    code = f"import pathlib, time; print('ready: ', flush=True); pathlib.Path({str(mended)!r}).exists() and time.sleep(600)"
    stack.start_processes([_spec(tmp_path, "worker", code)])

    def ends() -> int:
        return sum(isinstance(notice, Restarting) for notice in notices)

    stack.tend_until(_within(lambda: ends() > MAX_RESTARTS + 1), patient=True)
    mended.touch()
    stack.tend_until(_within(lambda: isinstance(notices[-1], Started)), patient=True)
    (running,) = stack.recorded()
    stack.stop()

    assert running.state == "running"


def test_a_server_that_cannot_start_again_is_tried_until_it_can(tmp_path: Path) -> None:
    notices: list[Notice] = []
    stack = Stack(notices.append, first_pause_seconds=0.05, patient_pause_seconds=0.05)
    server = RedisServer(tmp_path)
    stack.start_server(server)
    log = tmp_path / "data" / "appendonly.aof"
    server.kill()
    log.write_bytes(b"no log of Redis's")

    stack.tend_until(
        _within(lambda: any("redis ended at its start" in said.ending for said in _restarts(notices))), patient=True
    )
    (down,) = stack.recorded()
    log.unlink()
    stack.tend_until(_within(lambda: Restarted("redis") in notices), patient=True)
    stack.stop()

    assert down.state == "restarting"


def _restarts(notices: list[Notice]) -> list[Restarting]:
    return [notice for notice in notices if isinstance(notice, Restarting)]


def test_a_process_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    stack = Stack(lambda _: None)

    with pytest.raises(PartFailed, match=r"(?s)two ended at its start \(exit code 1\).*no such column"):
        stack.start_processes(
            [_spec(tmp_path, "one", OBEDIENT), _spec(tmp_path, "two", "raise SystemExit('no such column')")]
        )

    stack.stop()
    assert all(recorded.identity is None for recorded in stack.recorded())


def test_a_process_finds_our_packages_from_anywhere_and_gets_its_settings_from_the_environment(tmp_path: Path) -> None:
    code = "import os, schemas.jobs; print('ready: ', os.environ['NAME'], flush=True)"
    stack = Stack(lambda _: None)

    stack.start_processes([_spec(tmp_path, "worker", code)])
    stack.stop()

    assert (tmp_path / "worker.log").read_text() == "ready:  worker\n"


def _within(condition: Callable[[], bool], seconds: float = 30.0) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds

    def checked() -> bool:
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        return condition()

    return checked
