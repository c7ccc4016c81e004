"""A shell that README is typed into, block by block: what one block defines the next ones have."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.waiting import wait_until

ENDED = "README-test-exit-code"
VARIABLES = "declare -p | grep -v '^declare -[A-Za-z-]*r'"
"""In words that a shell reads again; without those that none may set."""
END_SECONDS = 90.0
COMMAND_SECONDS = 240.0
"""For one command on a busy machine; the first start compiles everything."""


class Failed(AssertionError):
    """A command of README failed. The message has the command and what was printed."""


class Terminal:
    """One bash, and the programs that README leaves running beside it. Leaving it ends them all."""

    def __init__(self, folder: Path, scratch: Path, environment: Mapping[str, str]) -> None:
        """In `folder`, with what is printed kept in `scratch`."""
        self._folder = folder
        self._scratch = scratch
        self._environment = dict(environment)
        self._beside: list[subprocess.Popen[bytes]] = []
        self._shell = self._start(["bash", "--noprofile", "--norc"], scratch / "shell.out", subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in (*reversed(self._beside), self._shell):
            _end(program)

    def run(self, command: str) -> str:
        """What it printed. Failed unless its exit code is 0."""
        return self._type(command)

    def run_until(self, command: str, text: str) -> str:
        """What it printed once that has the text; then it is ended, as by Ctrl-C."""
        printed = self._scratch / "until.out"
        program = self._start(["bash", "-c", self._with_variables(command)], printed)
        try:
            _await(lambda: text in printed.read_text(errors="replace"), program, command, printed, text)
        finally:
            _end(program)
        return printed.read_text(errors="replace")

    def leave_running(self, command: str, text: str) -> None:
        """Goes on once it has printed the text."""
        printed = self._scratch / f"beside-{len(self._beside)}.out"
        program = self._start(["bash", "-c", self._with_variables(command)], printed)
        self._beside.append(program)
        _await(lambda: text in printed.read_text(errors="replace"), program, command, printed, text)

    def _with_variables(self, command: str) -> str:
        """The command for another shell that has this one's variables and folder."""
        return f"{self._type(VARIABLES)}\ncd {self._type('pwd')}\n{command}"

    def _type(self, command: str) -> str:
        """One command at the prompt. A heredoc may follow, so the exit code is asked for in a line of its own."""
        out = self._scratch / "command.out"
        assert self._shell.stdin is not None
        before = (self._scratch / "shell.out").read_text(errors="replace").count(ENDED)
        typed = f"{{ {command}\n}} >{out} 2>&1 </dev/null\necho {ENDED} $?\n"
        self._shell.stdin.write(typed.encode())
        self._shell.stdin.flush()

        def ended() -> bool:
            if self._shell.poll() is not None:
                raise Failed(f"the shell ended at: {command}")
            said = (self._scratch / "shell.out").read_text(errors="replace")
            return said.count(ENDED) > before and said.endswith("\n")

        wait_until(ended, f"'{command}' ends", within_seconds=COMMAND_SECONDS)
        code = (self._scratch / "shell.out").read_text(errors="replace").rstrip().rpartition(" ")[2]
        printed = out.read_text(errors="replace")
        if code != "0":
            raise Failed(f"$ {command}\n{printed}\nexit code {code}")
        return printed

    def _start(self, argv: list[str], output: Path, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        with output.open("wb") as printed:
            return subprocess.Popen(
                argv,
                cwd=self._folder,
                env=self._environment,
                stdin=stdin,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )


def _await(
    is_so: Callable[[], bool], program: "subprocess.Popen[bytes]", command: str, printed: Path, text: str
) -> None:
    def printed_or_ended() -> bool:
        return is_so() or program.poll() is not None

    wait_until(printed_or_ended, f"'{command}' prints '{text}'", within_seconds=COMMAND_SECONDS)
    if not is_so():
        raise Failed(f"$ {command}\n{printed.read_text(errors='replace')}\nended without printing '{text}'")


def _end(program: "subprocess.Popen[bytes]") -> None:
    """The program and what it started: as by Ctrl-C, and if that doesn't help at once."""
    if program.stdin is not None:
        program.stdin.close()
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(program.pid, number)
        with suppress(subprocess.TimeoutExpired):
            program.wait(END_SECONDS)
            return
