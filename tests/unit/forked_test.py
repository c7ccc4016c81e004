"""A forked process is as one that was started: in what it is given, what it says, and how it ends."""

import os
import signal
import sys
from pathlib import Path

import psutil

from infrastructure.local_stack.supervisor.processes import Program, Running
from tests.forked import fork, run
from tests.waiting import GUARD_SECONDS, wait_until


def _serving(folder: Path) -> Running:
    """A process that ends by signals alone."""
    argv = (sys.executable, "-m", "tests.receiver", str(folder / "received"))
    running = Running(Program("receiver", argv, folder / "log", environment={}, folder=folder), fork)
    running.await_ready(lambda: running.said("ready: "), within_seconds=GUARD_SECONDS)
    return running


def test_it_reads_and_says_and_ends_as_its_module_does(tmp_path: Path) -> None:
    well = run("json.tool", "--compact", environment={}, folder=tmp_path, stdin='{"a": 1}')
    badly = run("json.tool", environment={}, folder=tmp_path, stdin="{")

    assert (well.returncode, well.stdout, well.stderr) == (0, '{"a":1}\n', "")
    assert badly.returncode == 1
    assert "Expecting property name" in badly.stderr


def test_it_has_the_environment_it_is_given_and_nothing_of_ours(tmp_path: Path) -> None:
    shown = run(
        "producers.cli",
        "jobs",
        "list",
        environment={"BUCATINI_URL": "nowhere://", "BUCATINI_API_KEY": "k"},
        folder=tmp_path,
    )
    unset = run("producers.cli", "jobs", "list", environment={}, folder=tmp_path)

    assert "nowhere://" in shown.stderr
    assert "nowhere://" not in unset.stderr
    assert unset.returncode != 0


def test_how_a_signal_ended_it_is_told_and_it_leads_its_group(tmp_path: Path) -> None:
    killed, stopped = _serving(tmp_path), _serving(tmp_path)
    assert (killed.exit_code, stopped.exit_code) == (None, None)
    assert os.getpgid(killed.pid) == killed.pid

    killed.kill()
    stopped.stop()

    assert (killed.exit_code, stopped.exit_code) == (-signal.SIGKILL, -signal.SIGTERM)
    wait_until(lambda: not psutil.pid_exists(killed.pid), "nothing is left of it")
