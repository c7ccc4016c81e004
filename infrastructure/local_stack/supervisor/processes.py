"""Child processes that are ours: tied to us, watched, stopped by process id, known again if a killed run left them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

TETHER = Path(__file__).with_name("parent_death.py")
POLL_SECONDS = 0.02
LOG_BYTES = 20_000_000
"""A log that grows beyond this starts anew; the one before is kept beside it."""
SAME_BIRTH_SECONDS = 2.0
"""How far two readings of one process's start may lie apart: the clock behind them is adjusted now and then."""


class PartFailed(Exception):
    """A part of the local stack can't run. The message names it, says why and what to do."""


@dataclass(frozen=True, slots=True)
class User:
    """The system user a program runs as, when it isn't the caller."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, where its output goes, and how it is asked to end."""

    name: str
    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] | None = None
    """Ours when None. Secrets travel here or in files, never in argv, which every user of the machine can read."""
    folder: Path | None = None
    user: User | None = None
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    """Sent one after the other, each with `grace_seconds` to work, before SIGKILL. The first also follows our death."""
    grace_seconds: float = 25.0


class ChildProcess(Protocol):
    """What we do with a process, as `subprocess.Popen` does it."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...


def spawn(program: Program, log: int) -> ChildProcess:
    """Starts the program with its output in this file."""
    return subprocess.Popen(
        _tethered(program),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=program.environment,
        cwd=program.folder,
        start_new_session=True,
    )


class Running:
    """A started program. Its process leads its own session, so a Ctrl-C in the terminal reaches only us."""

    def __init__(self, program: Program, start: Callable[[Program, int], ChildProcess] = spawn) -> None:
        self.program = program
        self.started_at = time.monotonic()
        with _opened_log(program.log) as log:
            self._log_start = os.fstat(log).st_size
            self._process = start(program, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def await_ready(self, ready: Callable[[], bool], *, within_seconds: float) -> None:
        """Returns when the condition holds. PartFailed, with the end of the log, when the process or the time ends."""
        while not self.is_ready(lambda _: ready(), within_seconds=within_seconds):
            time.sleep(POLL_SECONDS)

    def is_ready(self, ready: "Callable[[Running], bool]", *, within_seconds: float) -> bool:
        """Whether the condition holds now. PartFailed, with the log's end, when the process or the time is over."""
        if ready(self):
            return True
        if self.exit_code is not None:
            raise PartFailed(self.told(f"{self.program.name} ended at its start ({in_words(self.exit_code)})"))
        if time.monotonic() > self.started_at + within_seconds:
            raise PartFailed(self.told(f"{self.program.name} was not ready within {within_seconds:.0f} s"))
        return False

    def await_end(self, *, within_seconds: float) -> None:
        """Returns when it has ended well. PartFailed, with the log's end, when it failed or took too long."""
        try:
            code = self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            raise PartFailed(self.told(f"{self.program.name} took longer than {within_seconds:.0f} s")) from None
        finally:
            self.kill()
        if code:
            raise PartFailed(self.told(f"{self.program.name} failed ({in_words(self.exit_code)})"))

    def ask_to_end(self) -> None:
        self._send(self.program.stop_signals[0])

    def stop(self) -> None:
        """Asks it to end, ever more firmly, and returns when it has. Safe to repeat."""
        for stop_signal in self.program.stop_signals:
            self._send(stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.program.grace_seconds)
                return
        self.kill()

    def kill(self) -> None:
        """Ends the process and its group at once, as a crash would, and returns when it is gone."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def said(self, words: str) -> bool:
        """Whether its log has this text since the start."""
        return words in self._written()

    def told(self, fact: str) -> str:
        """The message with the end of the process's log."""
        end = self._written().rstrip().splitlines()[-15:]
        return "\n  ".join([f"{fact}; its log {self.program.log} ends:", *end]) if end else f"{fact} and logged nothing"

    def _send(self, stop_signal: signal.Signals) -> None:
        if self.exit_code is None:
            self._process.send_signal(stop_signal)

    def _written(self) -> str:
        try:
            with self.program.log.open("rb") as log:
                # A log that was started anew meanwhile is shorter than where this process's part began.
                log.seek(self._log_start if self._log_start <= log.seek(0, os.SEEK_END) else 0)
                return log.read().decode(errors="replace")
        except OSError:
            return ""


def in_words(exit_code: int | None) -> str:
    """How a process ended."""
    if exit_code is None:
        return "still running"
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


def _tethered(program: Program) -> list[str]:
    # Only the main thread lives as long as we do; tied to another, the program would die with that thread.
    tied = threading.current_thread() is threading.main_thread()
    death_signal = program.stop_signals[0].value if tied else 0
    user = f"{program.user.uid}:{program.user.gid}" if program.user else "-"
    tether = [sys.executable, "-I", "-S", str(TETHER), str(death_signal), str(os.getpid()), user]
    return [*tether, *program.argv]


@contextmanager
def _opened_log(log: Path) -> Iterator[int]:
    keep_log_small(log)
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:  # A full disk, most likely: what runs unheard is better than what doesn't run.
        descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def keep_log_small(log: Path) -> None:
    """Moves an overgrown log's content to `NAME.log.1`. Its writer goes on undisturbed, since it appends."""
    with suppress(OSError):  # It stays as long as it is where there is no room for the copy.
        if log.stat().st_size > LOG_BYTES:
            older = log.with_name(f"{log.name}.1")
            older.unlink(missing_ok=True)
            os.close(os.open(older, os.O_WRONLY | os.O_CREAT, 0o600))
            try:
                older.write_bytes(log.read_bytes())
            except OSError:
                older.unlink()
                raise
            os.truncate(log, 0)


@dataclass(frozen=True, slots=True)
class Identity:
    """One process and no later one that was given the same number."""

    pid: int
    born_at: float


def identity(pid: int) -> Identity:
    return Identity(pid, psutil.Process(pid).create_time())


def living(known: Identity) -> psutil.Process | None:
    """The process, if it still runs and is the one that was meant."""
    try:
        process = psutil.Process(known.pid)
        same = abs(process.create_time() - known.born_at) < SAME_BIRTH_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def remember(pid: int, file: Path) -> None:
    """Writes down which process works on a folder, so that the next run can end it if we don't live to. Where there is
    no room for that, it ends with us all the same."""
    known = identity(pid)
    with suppress(OSError):
        file.write_text(json.dumps({"pid": known.pid, "born_at": known.born_at}), encoding="utf-8")


def stop_leftover(file: Path, stop_signals: tuple[signal.Signals, ...], *, grace_seconds: float) -> int | None:
    """Ends the process that an earlier run wrote down and left; its process id, or None if there was none."""
    try:
        known = Identity(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    left = living(known) is not None
    end(known, stop_signals, grace_seconds=grace_seconds)
    file.unlink(missing_ok=True)
    return known.pid if left else None


def ask_to_end(known: Identity) -> None:
    """Sends SIGTERM to a process that isn't our child, if it is still there and may be asked."""
    with suppress(psutil.Error):
        if (process := living(known)) is not None:
            process.terminate()


def end(known: Identity, stop_signals: tuple[signal.Signals, ...], *, grace_seconds: float) -> None:
    """Ends a process that isn't our child, ever more firmly. PartFailed when it is another user's or won't end."""
    for stop_signal in (*stop_signals, signal.SIGKILL):
        process = living(known)
        if process is None:
            return
        try:
            process.send_signal(stop_signal)
        except psutil.NoSuchProcess:
            return
        except psutil.AccessDenied:
            raise PartFailed(f"process {known.pid} still runs here and is another user's: end it first") from None
        if _gone(known, within_seconds=grace_seconds):
            return
    raise PartFailed(f"process {known.pid}, left by an earlier run, can't be ended: end it first")


def _gone(known: Identity, *, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while living(known) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
