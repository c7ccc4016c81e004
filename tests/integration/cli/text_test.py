"""`bucatini jobs text` and `bucatini submit --follow`: a terminal shows text as it comes, a pipe gets what counts."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.cli.jobs_test import Terminal
from tests.integration.jobs.novel import Write, novel_in, section, whole
from tests.integration.serving import World
from tests.system import System
from tests.waiting import GUARD_SECONDS, wait_until


@pytest.fixture
def terminal(system: System, served: World, tmp_path: Path) -> Terminal:
    novel = novel_in(tmp_path)
    system.dispatcher()
    system.start("workers.runtime", "novel", **novel)
    return Terminal(served, served.another_key(system.tenant_id), tmp_path, **novel)


def test_a_pipe_gets_the_final_text_and_nothing_else(system: System, terminal: Terminal) -> None:
    command = Write(reset_in=1)
    (job_id,) = system.submit(command)

    written = terminal.type("jobs", "text", str(job_id))

    assert (written.returncode, written.stdout) == (0, whole(command) + "\n"), written.stderr


def test_a_failed_job_is_an_error_behind_its_text(system: System, terminal: Terminal) -> None:
    (job_id,) = system.submit(Write(fail=True, sections=1))

    written = terminal.type("jobs", "text", str(job_id))

    assert (written.returncode, written.stdout) == (1, section(0) + "\n")
    assert f"job {job_id} is" in written.stderr


def test_a_terminal_shows_the_text_while_it_is_written(system: System, terminal: Terminal) -> None:
    (job_id,) = system.submit(Write(hang_in=1, words=60))

    ours, theirs = os.openpty()
    argv = [sys.executable, "-m", "producers.cli", "jobs", "text", str(job_id)]
    shown = bytearray()
    with subprocess.Popen(argv, stdout=theirs, stderr=theirs, env=terminal.environment, cwd=terminal.folder) as typed:
        os.close(theirs)
        os.set_blocking(ours, False)

        def shows(text: str) -> bool:
            with suppress(BlockingIOError):
                shown.extend(os.read(ours, 65_536))
            return text in shown.decode(errors="replace").replace("\r\n", "\n")

        wait_until(lambda: shows("word-1-59"), "the unfinished section is shown")
        assert system.state(job_id) == "running"
        terminal.type("jobs", "cancel", str(job_id))
        assert typed.wait(GUARD_SECONDS) == 1
    os.close(ours)


def test_what_is_submitted_is_followed_to_its_end(system: System, terminal: Terminal) -> None:
    system.start("workers.runtime", "keys")

    followed = terminal.type("submit", "keys.rotate", "--follow")
    both = terminal.type("submit", "keys.rotate", "--follow", "--wait", "1")

    assert (followed.returncode, followed.stdout) == (0, ""), followed.stderr
    assert system.states() == {"succeeded": 1}
    assert (both.returncode, "give one of them" in both.stderr) == (2, True)
