"""A disk without room: everything waits, says so, keeps what was accepted, and goes on when there is room."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from tests.integration.local_stack.up_test import Terminal
from tests.integration.serving import DOCUMENT, PROCESS
from tests.small_disk import SmallDisk, small_disk
from tests.waiting import wait_until

LARGE = {"title": "Lease", "text": os.urandom(45_000).hex()}


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    # Not one of pytest's own folders: see the fixture `server_folder`.
    with (
        TemporaryDirectory(prefix="bucatini-disk-", ignore_cleanup_errors=True) as folder,
        small_disk(Path(folder) / "disk", 500) as mounted,
    ):
        yield mounted


def test_the_whole_stack_goes_on_after_its_disk_was_full(disk: SmallDisk) -> None:
    terminal = Terminal(disk.folder / "home")
    # What it prints goes to that disk as well.
    with terminal.up(output=disk.folder / "up.txt") as up:
        before = _processes(terminal)
        api = _api(terminal)
        accepted = [_accepted(api)]

        disk.fill()
        wait_until(lambda: _is_refused(api, accepted), "what can't be kept is refused")
        full = wait_until(lambda: _degraded(terminal), "every process says so")
        doctor = terminal.run("doctor")
        for name in ("postgres", "redis", "worker ai"):
            os.kill(before[name]["pid"], signal.SIGKILL)
            wait_until(lambda name=name: _has_ended(terminal, before[name]), f"{name} has ended")  # type: ignore[misc]
        disk.free()
        after = wait_until(lambda: _all_running(terminal), "everything works again")

        # A connection that nobody has used since may be found broken once.
        accepted.append(wait_until(lambda: _accepted(api), "a job is accepted again"))
        for job in accepted:
            wait_until(lambda job=job: _state(api, job) == "succeeded", "every accepted job ends")  # type: ignore[misc]
        assert up.poll() is None
    assert all("disk is full" in process["detail"] for process in full)
    assert "PostgreSQL's disk is full" in doctor.stdout
    assert doctor.returncode == 1
    unharmed = {name for name in before if before[name]["pid"] == after[name]["pid"]}
    assert unharmed >= before.keys() - {"postgres", "redis", "worker ai"}, "nobody else has ended"


def _api(terminal: Terminal) -> httpx.Client:
    status = terminal.status()
    key = Path(status["admin_key_file"]).read_text().strip()
    headers = {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=status["urls"]["api"], headers=headers, timeout=30, trust_env=False)


def _accepted(api: httpx.Client) -> str:
    """The job, or nothing when it is refused."""
    answer = api.post(PROCESS, json=DOCUMENT)
    return str(answer.json()["id"]) if answer.status_code == 202 else ""


def _is_refused(api: httpx.Client, accepted: list[str]) -> bool:
    """Whether the next one is. What PostgreSQL has some room left for is accepted until then."""
    answer = api.post(PROCESS, json=LARGE)
    if answer.status_code == 202:
        accepted.append(answer.json()["id"])
    return answer.status_code == 503


def _state(api: httpx.Client, job: str) -> str:
    return str(api.get(f"/api/jobs/{job}").json().get("state"))


def _processes(terminal: Terminal) -> dict[str, Any]:
    return {process["name"]: process for process in terminal.status()["processes"]}


def _has_ended(terminal: Terminal, before: Any) -> bool:
    # It may be back already, or there may have been no room to write down that it is about to be.
    now = _processes(terminal)[before["name"]]
    return now["state"] in ("restarting", "ended") or now["pid"] != before["pid"]


def _degraded(terminal: Terminal) -> list[Any]:
    """All of ours that can say it, once all of them do."""
    ours = [one for name, one in _processes(terminal).items() if name in ("api", "dispatcher") or "worker" in name]
    return ours if {one["state"] for one in ours} == {"degraded"} else []


def _all_running(terminal: Terminal) -> dict[str, Any]:
    processes = _processes(terminal)
    return processes if {one["state"] for one in processes.values()} == {"running"} else {}
