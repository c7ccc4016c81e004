"""`bucatini up` as a person runs it: the whole stack in a folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
import pytest

from infrastructure.local_stack.servers.loopback import free_port
from tests.forked import Ended, run
from tests.waiting import GUARD_SECONDS, wait_until

ROOT = Path(__file__).parents[3]
START_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Terminal:
    """A shell in which BUCATINI_HOME is set and nothing else that matters."""

    home: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "producers.cli", *arguments]

    def environment(self) -> dict[str, str]:
        ports = {"API_PORT": str(free_port()), "FLOWER_PORT": str(free_port())}
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BUCATINI_HOME": str(self.home), **ports}

    def run(self, *arguments: str, **variables: str) -> Ended:
        return run("producers.cli", *arguments, environment={**self.environment(), **variables}, folder=ROOT)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.run("status", "--output", "json").stdout)
        return status

    @contextmanager
    def up(self, *arguments: str, output: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """A stack that serves. What it prints goes to a file beside its folder, or to that one."""
        said = output or self.home.parent / "up.txt"
        with (
            said.open("wb") as printed,
            subprocess.Popen(
                self.command("up", *arguments), env=self.environment(), cwd=ROOT, stdout=printed, stderr=printed
            ) as up,
        ):
            try:
                wait_until(
                    lambda: up.poll() is not None or "serving until Ctrl-C" in said.read_text(),
                    "the stack serves",
                    within_seconds=START_SECONDS,
                )
                assert up.poll() is None, said.read_text()
                yield up
            finally:
                up.terminate()
                up.wait(timeout=90)


def _run(pids: list[int]) -> list[int]:
    """Those that still run."""
    living = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return [process.pid for process in living if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    with TemporaryDirectory(prefix="bucatini-tests-", ignore_cleanup_errors=True) as folder:
        yield Terminal(Path(folder) / "home")


@pytest.fixture(scope="module")
def stack(terminal: Terminal) -> Iterator[subprocess.Popen[bytes]]:
    """One that serves, for all tests until one needs it killed."""
    with terminal.up() as up:
        yield up


@pytest.fixture(scope="module")
def serving(stack: subprocess.Popen[bytes], terminal: Terminal) -> dict[str, Any]:
    """Its status."""
    return terminal.status()


@dataclass(frozen=True, slots=True)
class Again:
    """What the killed stack left, and the one that was started on its data."""

    left_behind: list[int]
    key: str
    up: subprocess.Popen[bytes]
    said: Path


@pytest.fixture(scope="module")
def again(
    stack: subprocess.Popen[bytes],
    serving: dict[str, Any],
    terminal: Terminal,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Again]:
    folder = tmp_path_factory.mktemp("again")
    samples, said = folder / "samples", folder / "up.txt"
    samples.mkdir()
    (samples / "note.md").write_text("Acme Ltd pays EUR 1,200 to Beta GmbH on 14 March 2026.")
    pids = [process["pid"] for process in serving["processes"]]
    key = Path(serving["admin_key_file"]).read_text()
    stack.send_signal(signal.SIGKILL)
    stack.wait()
    # They get up to 30 s to end what runs; none does here.
    wait_until(lambda: not _run(pids), "all have ended")
    with terminal.up("--samples", str(samples), output=said) as up:
        yield Again(_run(pids), key, up, said)


def test_the_status_tells_addresses_ports_processes_and_the_file_of_the_key(serving: dict[str, Any]) -> None:
    pids = [process["pid"] for process in serving["processes"]]

    assert serving["running"]
    assert set(serving["ports"]) >= {"postgres", "redis", "api", "flower", "dispatcher", "worker ai", "worker keys"}
    assert _run(pids) == pids
    assert Path(serving["admin_key_file"]).stat().st_mode & 0o777 == 0o600
    assert Path(serving["admin_key_file"]).read_text().strip() not in json.dumps(serving)
    for part in ("api", "worker ai"):
        assert httpx.get(serving["urls"][f"metrics {part}"], trust_env=False).is_success


def test_only_the_owner_can_read_where_everything_is(serving: dict[str, Any]) -> None:
    assert (Path(serving["home"]) / "local.json").stat().st_mode & 0o777 == 0o600


def test_a_second_start_says_where_the_first_one_is(terminal: Terminal, serving: dict[str, Any]) -> None:
    second = terminal.run("up")

    assert second.returncode == 1
    assert f"already runs in {serving['home']}" in second.stderr
    assert serving["urls"]["api"] in second.stderr


def test_the_doctor_finds_nothing_wrong_with_a_stack_that_serves(terminal: Terminal, serving: dict[str, Any]) -> None:
    found = terminal.run("doctor")

    assert found.returncode == 0, found.stdout
    assert "its tables up to date" in found.stdout
    assert "noeviction" in found.stdout
    assert "ai 1, keys 1, search 1, webhooks 1, workflow 1" in found.stdout
    assert f"{serving['urls']['api']} is ready" in found.stdout


def test_a_killed_stack_leaves_nothing_running_and_starts_again_on_its_data(
    again: Again, terminal: Terminal, serving: dict[str, Any]
) -> None:
    said = again.said.read_text()

    assert again.left_behind == []
    assert "job.succeeded" in said
    assert "documents.imported" in said
    assert "1 of 1 succeeded; provider: offline" in said
    assert re.search(r"a search for .+ finds 1 document:\n  note", said)
    assert terminal.status()["admin_key_file"] == serving["admin_key_file"]
    assert Path(serving["admin_key_file"]).read_text() == again.key


def test_taking_a_stack_down_ends_all_of_it(again: Again, terminal: Terminal) -> None:
    pids = [process["pid"] for process in terminal.status()["processes"]]

    assert terminal.run("down").returncode == 0

    assert again.up.wait(timeout=GUARD_SECONDS) == 0
    assert _run(pids) == []
    assert not (terminal.home / "local.json").exists()
    assert terminal.run("down").stdout == f"no local stack runs in {terminal.home}\n"


def test_a_given_port_that_is_taken_is_said_before_anything_is_started(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = terminal.run("up", API_PORT=str(port))

    assert refused.returncode == 1
    assert f"API_PORT={port}, and port {port} of 127.0.0.1 is taken: end what listens there" in refused.stderr
    assert not (terminal.home / "postgres").exists()


def test_samples_that_are_not_there_are_told_of_before_anything_is_started(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home")

    assert terminal.run("up", "--samples", str(tmp_path / "nowhere")).returncode == 2
    assert not terminal.home.exists()
