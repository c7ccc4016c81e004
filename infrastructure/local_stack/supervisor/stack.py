"""Servers and processes kept running together: started until ready, started again when they end, stopped in order."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from infrastructure.local_stack.files.state_dir import RESTARTING, RUNNING, STARTING, Recorded
from infrastructure.local_stack.part import Part, Process, ProcessSpec
from infrastructure.local_stack.supervisor.processes import PartFailed, identity, in_words, keep_log_small

TICK_SECONDS = 0.1
MAX_RESTARTS = 5
RESTARTS_WITHIN_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
PATIENT_PAUSE_SECONDS = 15.0
"""Between two starts of a part that ends again and again, when the supervisor is patient."""
READY_CHECK_SECONDS = 1.0
LOG_CHECK_SECONDS = 30.0


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


@dataclass(frozen=True, slots=True)
class _Due:
    """When a part is started again, and how it ended."""

    at: float
    ending: str


Notice = Started | Restarting | Restarted


class Stack:
    """All parts that were started, in order. Drive it from the main thread: its children are tied to that."""

    def __init__(
        self,
        report: Callable[[Notice], None],
        *,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        patient_pause_seconds: float = PATIENT_PAUSE_SECONDS,
    ) -> None:
        self._report = report
        self._first_pause_seconds = first_pause_seconds
        self._patient_pause_seconds = patient_pause_seconds
        self._servers: list[Part] = []
        self._processes: list[Process] = []
        self._ends: defaultdict[str, list[float]] = defaultdict(list)
        self._due: dict[str, _Due] = {}
        self._starting: dict[str, float] = {}
        """Processes that were started and don't work yet, and since when."""
        self._readiness_checked_at = 0.0
        self._logs_checked_at = time.monotonic()

    def start_server(self, server: Part) -> None:
        """Returns when it is ready. PartFailed says why it can't be."""
        began = time.monotonic()
        self._servers.append(server)
        server.start()
        self._report(Started(server.name, time.monotonic() - began, server.port))

    def start_processes(self, specs: Sequence[ProcessSpec]) -> None:
        """Starts them side by side and returns when all are ready. PartFailed names one that isn't, with its log."""
        began = time.monotonic()
        waiting = [Process(spec) for spec in specs]
        self._processes += waiting
        for process in waiting:
            process.start()
            self._starting[process.name] = began
        while waiting:
            for process in [process for process in waiting if process.ready()]:
                self._works(process)
                waiting.remove(process)
            self._tend_servers()
            time.sleep(TICK_SECONDS / 2)

    def tend_until(self, done: Callable[[], bool], *, patient: bool = False) -> None:
        """Keeps everything running until the condition holds. PartFailed when a part ends again and again, unless
        patient: then it is started again for as long as it takes, since what keeps it from running may end, as a full
        disk does."""
        while not done():
            for part in self._parts():
                self._tend(part, patient=patient)
            self._check_restarted()
            self._keep_logs_small()
            time.sleep(TICK_SECONDS)

    def restart_processes(self, restarted: Callable[[str], bool]) -> None:
        """Ends the processes of these names side by side, each within its grace period, and starts them again."""
        processes = [process for process in self._processes if restarted(process.name)]
        for process in processes:
            process.ask_to_end()
        for process in processes:
            process.stop()
            self._due.pop(process.name, None)
            process.start()
            self._starting[process.name] = time.monotonic()

    def recorded(self) -> tuple[Recorded, ...]:
        """Everything, whether it runs now or is about to."""
        return tuple(map(self._recorded, self._parts()))

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
            self._tend(server, patient=False)

    def _tend(self, part: Part, *, patient: bool) -> None:
        due = self._due.get(part.name)
        if due is None:
            if part.exit_code is not None:
                self._put_off(part, in_words(part.exit_code), patient=patient)
        elif time.monotonic() >= due.at:
            self._start_again(part, patient=patient)

    def _start_again(self, part: Part, *, patient: bool) -> None:
        try:
            part.start()
        except (PartFailed, OSError) as error:
            if not patient:
                raise
            self._put_off(part, str(error).partition("\n")[0], patient=patient)
            return
        del self._due[part.name]
        if isinstance(part, Process):
            self._starting[part.name] = time.monotonic()
        self._report(Restarted(part.name))

    def _put_off(self, part: Part, ending: str, *, patient: bool) -> None:
        now, ends = time.monotonic(), self._ends[part.name]
        pause_seconds = pause_before_restart(ends, now, self._first_pause_seconds)
        if pause_seconds is None and not patient:
            raise PartFailed(f"{part.name} ends again and again ({ending}): see {part.log}")
        pause_seconds = self._patient_pause_seconds if pause_seconds is None else pause_seconds
        ends[:] = [*ends[-MAX_RESTARTS:], now]
        self._starting.pop(part.name, None)
        self._due[part.name] = _Due(now + pause_seconds, ending)
        self._report(Restarting(part.name, ending, pause_seconds, part.log))

    def _check_restarted(self) -> None:
        """Finds the restarted processes that are ready by now."""
        now = time.monotonic()
        if not self._starting or now - self._readiness_checked_at < READY_CHECK_SECONDS:
            return
        self._readiness_checked_at = now
        for process in self._processes:
            if process.name in self._starting and process.works():
                self._works(process)

    def _works(self, process: Process) -> None:
        seconds = time.monotonic() - self._starting.pop(process.name)
        self._report(Started(process.name, seconds, process.port))

    def _recorded(self, part: Part) -> Recorded:
        due = self._due.get(part.name)
        if due is not None:
            return Recorded(part.name, None, part.port, str(part.log), RESTARTING, due.ending)
        if part.pid is not None and part.exit_code is None:
            with suppress(psutil.NoSuchProcess):
                state = STARTING if part.name in self._starting else RUNNING
                return Recorded(part.name, identity(part.pid), part.port, str(part.log), state)
        # It isn't started yet, or has ended a moment ago.
        return Recorded(part.name, None, part.port, str(part.log), STARTING if part.pid is None else RESTARTING)

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
    return None if recent >= MAX_RESTARTS else first_pause_seconds * 2.0**recent
