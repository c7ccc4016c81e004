"""One supervised server or process of the stack."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infrastructure.local_stack.supervisor.processes import Program, Running

ROOT = Path(__file__).parents[2]
"""Where the packages are: a child finds them from here, installed or not."""


class Part(Protocol):
    """One server or process of the stack. A restart keeps its port and its data."""

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


class Process:
    """One of our own processes, created from its spec at each start."""

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
        """Returns at once; `ready` becomes true when it works."""
        self._running = Running(
            Program(
                name=self.name,
                argv=(sys.executable, *self.spec.arguments),
                log=self.log,
                environment={**inherited(os.environ), **self.spec.environment},
                folder=ROOT,
                grace_seconds=self.spec.grace_seconds,
            )
        )

    def ready(self) -> bool:
        """Whether it works. PartFailed, with the end of its log, when it ended or its time is up."""
        return self._running is not None and self._running.is_ready(
            self.spec.ready, within_seconds=self.spec.ready_within_seconds
        )

    def works(self) -> bool:
        """The same of one that is given all the time it needs."""
        return self._running is not None and self._running.exit_code is None and self.spec.ready(self._running)

    def ask_to_end(self) -> None:
        if self._running:
            self._running.ask_to_end()

    def stop(self) -> None:
        if self._running:
            self._running.stop()

    def kill(self) -> None:
        if self._running:
            self._running.kill()


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a child of ours is to know of the caller's environment: nothing that would make it another Python."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONUTF8": "1"}
