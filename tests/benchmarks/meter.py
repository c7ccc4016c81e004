"""How much of the machine each process used over a stretch of time: what says which of them is the limit."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

QUIET_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Stretch:
    """Between two readings."""

    seconds: float
    cpu_seconds: Mapping[str, float]
    others_cpu_seconds: float
    """What the rest of the machine used, or a host took away: what disturbed the measurement."""

    @property
    def cores(self) -> dict[str, float]:
        """How many cores each used, on the average."""
        used = {**self.cpu_seconds, "others": self.others_cpu_seconds}
        return {name: seconds / self.seconds for name, seconds in used.items()}

    def microseconds_per(self, jobs: float) -> float:
        """Of CPU for each job, servers included: the figure that a busy machine changes least."""
        return sum(self.cpu_seconds.values()) / jobs * 1e6


class Meter:
    """Reads named process trees. Make it at the stretch's start."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        self._busy_before = busy_seconds()
        self._begun_at = time.monotonic()

    def read(self) -> Stretch:
        seconds = time.monotonic() - self._begun_at
        now = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        used = {name: now[name] - before for name, before in self._before.items()}
        others = busy_seconds() - self._busy_before - sum(used.values())
        return Stretch(seconds, used, max(others, 0.0))


def busy_seconds() -> float:
    """Of all cores together since the machine started."""
    times = psutil.cpu_times()._asdict()
    # Linux counts the time of guests within that of users.
    return float(sum(spent for name, spent in times.items() if name not in {"idle", "iowait", "guest", "guest_nice"}))


def await_quiet(most_cores: float, *, within_seconds: float) -> None:
    """Returns when the machine does little else, or when it won't: the measurement tells how much others used."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        before, begun_at = busy_seconds(), time.monotonic()
        time.sleep(QUIET_LOOK_SECONDS)
        if busy_seconds() - before < most_cores * (time.monotonic() - begun_at):
            return


def cpu_seconds(pid: int) -> float:
    """Of the process, of its living descendants, and of those children that it has seen end."""
    used = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        ended = root.cpu_times()
        used = float(ended.children_user + ended.children_system)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += float(times.user + times.system)
    return used


def resident_bytes(pid: int) -> int:
    """What the process and its descendants hold in memory. Shared pages count for each."""
    root = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (root, *root.children(recursive=True)))
