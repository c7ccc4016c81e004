"""Servers and processes kept running together: started until ready, started again when they end, stopped in order."""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from infrastructure.local_stack.home import Recorded
from infrastructure.local_stack.processes import PartFailed, Program, Running, identity, in_words, keep_log_small

ROOT = Path(__file__).parents[2]
"""Where the packages are: a child finds them from here, installed or not."""
TICK_SECONDS = 0.1
MOST_RESTARTS = 5
RESTARTS_WITHIN_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
LOG_CHECK_SECONDS = 30.0


class Part(Protocol):
    """One server or process of the stack. What is started again keeps its port and its data."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def port(self) -> int | None: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def exit_code(self) -> int | None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One of our own processes: Python with these arguments."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    """On top of ours."""
    log: Path
    ready: Callable[[Running], bool]
    port: int | None = None
    ready_within_seconds: float = 120.0
    grace_seconds: float = 25.0


@dataclass(frozen=True, slots=True)
class Started:
    """A part is ready, and how long that took."""

    name: str
    seconds: float
    port: int | None


@dataclass(frozen=True, slots=True)
class Restarting:
    """A part ended by itself and is started again after the pause."""

    name: str
    ending: str
    pause_seconds: float
    log: Path


@dataclass(frozen=True, slots=True)
class Restarted:
    name: str


Notice = Started | Restarting | Restarted
T = TypeVar("T")


class Process:
    """A process of ours, made from its spec as often as it is started."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.log = spec.log
        self.port = spec.port
        self._running: Running | None = None

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    @property
    def exit_code(self) -> int | None:
        return self._running.exit_code if self._running else None

    def start(self) -> None:
        """Returns at once; `ready` tells when it works."""
        self._running = Running(
            Program(
                name=self.name,
                argv=(sys.executable, *self.spec.arguments),
                log=self.log,
                environment={**_inherited(os.environ), **self.spec.environment},
                folder=ROOT,
                grace_seconds=self.spec.grace_seconds,
            )
        )

    def ready(self) -> bool:
        """Whether it works. PartFailed, with the end of its log, when it ended or its time is up."""
        return self._running is not None and self._running.is_ready(
            self.spec.ready, within_seconds=self.spec.ready_within_seconds
        )

    def ask_to_end(self) -> None:
        if self._running:
            self._running.ask_to_end()

    def stop(self) -> None:
        if self._running:
            self._running.stop()

    def kill(self) -> None:
        if self._running:
            self._running.kill()


class Stack:
    """All parts that were started, in order. Drive it from the main thread: its children are tied to that."""

    def __init__(self, report: Callable[[Notice], None], *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> None:
        self._report = report
        self._first_pause_seconds = first_pause_seconds
        self._servers: list[Part] = []
        self._processes: list[Process] = []
        self._ends: defaultdict[str, list[float]] = defaultdict(list)
        self._due: dict[str, float] = {}
        self._logs_checked_at = time.monotonic()

    def start_server(self, server: Part) -> None:
        """Returns when it is ready. PartFailed says why it can't be."""
        began = time.monotonic()
        self._servers.append(server)
        server.start()
        self._report(Started(server.name, time.monotonic() - began, server.port))

    def start_processes(self, specs: Sequence[ProcessSpec]) -> None:
        """Starts them side by side and returns when all are ready. PartFailed tells which isn't, with its log."""
        began = time.monotonic()
        waiting = [Process(spec) for spec in specs]
        self._processes += waiting
        for process in waiting:
            process.start()
        while waiting:
            for process in [process for process in waiting if process.ready()]:
                self._report(Started(process.name, time.monotonic() - began, process.port))
                waiting.remove(process)
            self._tend_servers()
            time.sleep(TICK_SECONDS / 2)

    def tend_until(self, done: Callable[[], bool]) -> None:
        """Keeps everything running until the condition holds. PartFailed when a part ends again and again."""
        while not done():
            self._tend_servers()
            for process in self._processes:
                self._tend(process)
            self._keep_logs_small()
            time.sleep(TICK_SECONDS)

    def recorded(self) -> tuple[Recorded, ...]:
        """Everything that runs now."""
        return tuple(recorded for part in self._parts() if (recorded := _recorded(part)) is not None)

    def stop(self) -> None:
        """Ends the processes side by side, then the servers they stood on. A second Ctrl-C ends all at once."""
        try:
            for process in self._processes:
                process.ask_to_end()
            for part in reversed(self._parts()):
                part.stop()
        except KeyboardInterrupt:
            self.kill()

    def kill(self) -> None:
        for part in reversed(self._parts()):
            part.kill()

    def _parts(self) -> list[Part]:
        return [*self._servers, *self._processes]

    def _tend_servers(self) -> None:
        for server in self._servers:
            self._tend(server)

    def _tend(self, part: Part) -> None:
        now = time.monotonic()
        if part.name in self._due:
            if now >= self._due[part.name]:
                del self._due[part.name]
                part.start()
                self._report(Restarted(part.name))
        elif part.exit_code is not None:
            pause_seconds = pause_before_restart(self._ends[part.name], now, self._first_pause_seconds)
            if pause_seconds is None:
                raise PartFailed(f"{part.name} ends again and again ({in_words(part.exit_code)}): see {part.log}")
            self._report(Restarting(part.name, in_words(part.exit_code), pause_seconds, part.log))
            self._ends[part.name].append(now)
            self._due[part.name] = now + pause_seconds

    def _keep_logs_small(self) -> None:
        if time.monotonic() - self._logs_checked_at > LOG_CHECK_SECONDS:
            self._logs_checked_at = time.monotonic()
            for part in self._parts():
                keep_log_small(part.log)


def pause_before_restart(
    ends: Sequence[float], now: float, first_pause_seconds: float = FIRST_PAUSE_SECONDS
) -> float | None:
    """Seconds to wait before a part that ended at these times is started again; None when it has ended too often."""
    recent = sum(now - end < RESTARTS_WITHIN_SECONDS for end in ends)
    return None if recent >= MOST_RESTARTS else first_pause_seconds * 2.0**recent


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a child of ours is to know of the caller's environment: nothing that would make it another Python."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONUTF8": "1"}


def _recorded(part: Part) -> Recorded | None:
    if part.pid is None or part.exit_code is not None:
        return None
    with suppress(psutil.NoSuchProcess):
        return Recorded(part.name, identity(part.pid), part.port, str(part.log))
    return None
