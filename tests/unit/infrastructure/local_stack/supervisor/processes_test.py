"""Child processes: started, told apart, ended, and what their logs say of it."""

import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infrastructure.local_stack.supervisor.processes import (
    LOG_BYTES,
    PartFailed,
    Program,
    Running,
    in_words,
    keep_log_small,
    remember,
    stop_leftover,
)
from tests.waiting import GUARD_SECONDS, wait_until

OBEDIENT = "import time; print('started', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + OBEDIENT


def _program(folder: Path, code: str, grace_seconds: float = 10.0) -> Program:
    argv = (sys.executable, "-c", code)
    return Program(name="part", argv=argv, log=folder / "part.log", grace_seconds=grace_seconds)


def _started(folder: Path, code: str, grace_seconds: float = 10.0) -> Running:
    running = Running(_program(folder, code, grace_seconds))
    running.await_ready(lambda: running.said("started"), within_seconds=GUARD_SECONDS)
    return running


def test_a_process_that_is_asked_to_end_ends(tmp_path: Path) -> None:
    running = _started(tmp_path, OBEDIENT)

    running.stop()
    running.stop()

    assert running.exit_code == -signal.SIGTERM
    assert in_words(running.exit_code) == "SIGTERM"


def test_a_process_that_does_not_listen_is_killed_after_its_grace(tmp_path: Path) -> None:
    running = _started(tmp_path, STUBBORN, grace_seconds=0.1)

    running.stop()

    assert running.exit_code == -signal.SIGKILL


def test_a_killed_process_takes_its_children_with_it(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {OBEDIENT!r}]); {OBEDIENT}"
    running = _started(tmp_path, code)
    (child,) = wait_until(lambda: psutil.Process(running.pid).children(), "the process has a child")

    running.kill()

    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child has ended too")


def test_a_process_that_ends_at_its_start_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    running = Running(_program(tmp_path, "raise SystemExit('the port is taken')"))

    with pytest.raises(PartFailed, match=r"(?s)part ended at its start \(exit code 1\).*the port is taken"):
        running.await_ready(lambda: False, within_seconds=10)


def test_a_process_that_never_gets_ready_is_told_of_after_its_time(tmp_path: Path) -> None:
    running = _started(tmp_path, OBEDIENT)

    with pytest.raises(PartFailed, match="not ready within 0 s"):
        running.await_ready(lambda: False, within_seconds=0.2)

    running.kill()


def test_the_words_of_an_earlier_run_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "part.log").write_text("started\n")
    running = Running(_program(tmp_path, "import time; time.sleep(600)"))

    assert not running.said("started")
    assert (tmp_path / "part.log").read_text().startswith("started"), "and stay in the log"
    running.kill()


def test_secrets_in_the_environment_are_not_in_what_others_can_see_of_a_process(tmp_path: Path) -> None:
    program = _program(tmp_path, OBEDIENT)
    running = Running(replace(program, environment={"DATABASE_URL": "postgresql://:secret@h/d"}))
    running.await_ready(lambda: running.said("started"), within_seconds=GUARD_SECONDS)

    assert "secret" not in " ".join(psutil.Process(running.pid).cmdline())
    assert (tmp_path / "part.log").stat().st_mode & 0o777 == 0o600
    running.kill()


def test_what_an_earlier_run_left_is_ended_once(tmp_path: Path) -> None:
    running = _started(tmp_path, OBEDIENT)
    remember(running.pid, tmp_path / "process.json")

    assert stop_leftover(tmp_path / "process.json", (signal.SIGTERM,), grace_seconds=10) == running.pid
    assert stop_leftover(tmp_path / "process.json", (signal.SIGTERM,), grace_seconds=10) is None
    assert running.exit_code == -signal.SIGTERM


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": 1'])
def test_an_unreadable_note_of_an_earlier_run_means_there_was_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "process.json").write_text(content)

    assert stop_leftover(tmp_path / "process.json", (signal.SIGTERM,), grace_seconds=1) is None


def test_an_overgrown_log_starts_anew_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("ab") as writer:
        writer.write(b"x" * (LOG_BYTES + 1))
        writer.flush()

        keep_log_small(log)
        writer.write(b"and on")

    assert log.read_bytes() == b"and on"
    assert (tmp_path / "part.log.1").stat().st_size == LOG_BYTES + 1
