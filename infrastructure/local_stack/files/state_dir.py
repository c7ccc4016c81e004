"""The folder a local stack lives in: locked while one runs, with a private record of where all is."""

import fcntl
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infrastructure.local_stack.files.folders import usable
from infrastructure.local_stack.files.private_files import write_private
from infrastructure.local_stack.supervisor.processes import Identity, ask_to_end, end
from infrastructure.settings import LOCAL_STACK_FILE

KEY_FILE = "admin.key"
RUNNER = "up"
STARTING, RUNNING, RESTARTING = "starting", "running", "restarting"
SERVERS = ("postgres", "redis")
LEFTOVER_SECONDS = 10.0


class AlreadyRunning(Exception):
    """A local stack runs in this folder. The message says where; use that one, or end it with `bucatini down`."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One process of the stack, as others may find it."""

    name: str
    identity: Identity | None
    """None while it doesn't run."""
    port: int | None = None
    log: str | None = None
    state: str = RUNNING
    detail: str = ""
    """Why it is in this state, where that needs saying."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a running stack publishes to other processes. `settings` is what `infrastructure.settings` completes the
    environment with."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    processes: tuple[Recorded, ...] = ()


class Home:
    """The folder, by the names of what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.key_file = folder / KEY_FILE
        self._record_file = folder / LOCAL_STACK_FILE

    def log(self, name: str) -> Path:
        return self.logs / f"{name.replace(' ', '-')}.log"

    def record(self, record: Record) -> None:
        """Writes the record to a file that only this user may read."""
        write_private(self._record_file, json.dumps(asdict(record), indent=2))

    def recorded(self) -> Record | None:
        """The last record of the stack that runs or was killed here."""
        try:
            told = json.loads(self._record_file.read_text(encoding="utf-8"))
            processes = tuple(
                Recorded(**{**process, "identity": _identity(process["identity"])}) for process in told["processes"]
            )
            return Record(told["settings"], told["urls"], processes)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def forget(self) -> None:
        self._record_file.unlink(missing_ok=True)

    def keep_key(self, key: str) -> None:
        """Writes the first admin key down. One of an earlier database stays beside it, since no other copy exists."""
        if self.key_file.exists():
            self.key_file.replace(self.key_file.with_suffix(".key.earlier"))
        write_private(self.key_file, key + "\n")

    def key(self) -> str | None:
        try:
            return self.key_file.read_text(encoding="utf-8").strip()
        except OSError:
            return None


@contextmanager
def locked(folder: Path) -> Iterator[Home]:
    """The home for us alone; what a killed run left running in it is ended first. AlreadyRunning when another has it.

    The kernel gives the lock back however this process ends, so nothing is ever left to remove.
    """
    home = Home(usable(folder))
    descriptor = os.open(home.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyRunning(_where(home)) from None
    try:
        home.logs.mkdir(mode=0o700, exist_ok=True)
        _end_leftovers(home)
        yield home
    finally:
        home.forget()
        os.close(descriptor)


def runner(record: Record) -> Identity | None:
    """The process that holds the stack together: ending it ends all of them in order."""
    return next((process.identity for process in record.processes if process.name == RUNNER), None)


def _identity(told: Mapping[str, Any] | None) -> Identity | None:
    return None if told is None else Identity(**told)


def _where(home: Home) -> str:
    record = home.recorded()
    holder = runner(record) if record else None
    if record is None or holder is None:
        return f"a local stack is starting or stopping in {home.folder}: wait for it"
    return f"a local stack already runs in {home.folder} (process {holder.pid}): {record.urls.get('api', 'starting')}"


def _end_leftovers(home: Home) -> None:
    record = home.recorded()
    # PostgreSQL and Redis end what is left of themselves at their next start, each in its own way.
    ours = [process for process in record.processes if process.name not in SERVERS] if record else []
    left = [process.identity for process in ours if process.identity is not None]
    for identity in left:  # Asked all at once, they end side by side.
        ask_to_end(identity)
    for identity in left:
        end(identity, (signal.SIGTERM,), grace_seconds=LEFTOVER_SECONDS)
    home.forget()
