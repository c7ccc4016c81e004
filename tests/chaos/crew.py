"""The processes of a system under test: two workers for each pool, two dispatchers and the ingress, replaced as they fall."""

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import psutil

from infrastructure.local_stack.supervisor.processes import Program, Running
from tests.forked import fork
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
DISPATCHER, INGRESS = ("producers.dispatcher",), ("api",)
GRACE_SECONDS = 3


@dataclass(slots=True)
class Member:
    """One place in the crew, and the process that has it now."""

    argv: tuple[str, ...]
    running: Running
    frozen_until: float | None = None

    @property
    def is_worker(self) -> bool:
        return self.argv[0] == "tests.chaos.probe"

    @property
    def pid(self) -> int:
        return self.running.pid


class Crew:
    """Leaving it ends every process it ever started."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder
        self.started: list[Running] = []
        twice = [("tests.chaos.probe", "ai"), ("tests.chaos.probe", "search"), DISPATCHER]
        self.members = [Member(role, self._start(role)) for role in (*twice, *twice, INGRESS)]

    def await_ready(self) -> None:
        for member in self.members:
            member.running.await_ready(partial(member.running.said, "ready: "), within_seconds=60)

    def any_worker(self, dice: Random) -> Member:
        return dice.choice([member for member in self.members if member.is_worker and member.frozen_until is None])

    def any_dispatcher(self, dice: Random) -> Member:
        return dice.choice(self.dispatchers)

    @property
    def dispatchers(self) -> list[Member]:
        return [member for member in self.members if member.argv == DISPATCHER]

    @property
    def ingress(self) -> Member:
        return next(member for member in self.members if member.argv == INGRESS)

    def children_of(self, member: Member) -> list[psutil.Process]:
        """The worker's CPU children."""
        with suppress(psutil.NoSuchProcess):
            return [
                child for child in psutil.Process(member.pid).children() if "spawn_main" in " ".join(child.cmdline())
            ]
        return []

    def kill(self, member: Member) -> None:
        """The process alone: what it started must notice by itself."""
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)

    def drain(self, member: Member) -> None:
        member.running.ask_to_end()

    def freeze(self, member: Member, seconds: float) -> None:
        os.kill(member.pid, signal.SIGSTOP)
        member.frozen_until = time.monotonic() + seconds

    def tend(self) -> None:
        """Wakes who has slept enough and replaces who has gone."""
        for member in self.members:
            if member.frozen_until is not None and time.monotonic() > member.frozen_until:
                self._wake(member)
            if member.running.exit_code is not None:
                member.running = self._start(member.argv)

    def wake_all(self) -> None:
        for member in self.members:
            self._wake(member)

    def stop(self) -> list[int | None]:
        """The exit codes of those that were asked to end."""
        self.wake_all()
        for member in self.members:
            member.running.ask_to_end()
        for member in self.members:
            wait_until(partial(_has_ended, member.running), f"{member.argv} has ended", within_seconds=30)
        # uvicorn ends in order and then raises the signal that asked for it once more.
        in_order = {tuple(INGRESS): -signal.SIGTERM}
        return [
            0 if member.running.exit_code == in_order.get(tuple(member.argv)) else member.running.exit_code
            for member in self.members
        ]

    def left_behind(self) -> list[str]:
        """Those of the crew that outlived it, and the processes that any of them started."""
        crew = [running.program.name for running in self.started if not _has_ended(running)]
        return [*crew, *(_told(process) for process in psutil.process_iter() if self._is_ours(process))]

    def logs(self) -> str:
        return "\n".join(log.read_text(errors="replace") for log in sorted(self._folder.glob("*.log")))

    def close(self) -> None:
        for running in self.started:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGCONT)
            running.kill()

    def _wake(self, member: Member) -> None:
        member.frozen_until = None
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGCONT)

    def _start(self, argv: tuple[str, ...]) -> Running:
        name = f"{'-'.join(argv)}-{len(self.started)}"
        running = Running(
            Program(
                name=name,
                argv=(sys.executable, "-m", *argv),
                log=self._folder / f"{name}.log",
                environment=self._environment,
                folder=ROOT,
            ),
            fork,
        )
        self.started.append(running)
        return running

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            home = process.environ().get("BUCATINI_HOME")
            return home == self._environment["BUCATINI_HOME"] and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def _has_ended(running: Running) -> bool:
    return running.exit_code is not None


def _told(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{process.pid}: {' '.join(process.cmdline())}"
    return str(process.pid)
