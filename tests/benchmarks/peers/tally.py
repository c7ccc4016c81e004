"""What the handlers of any system say of themselves, in memory that the harness reads: telling costs under a microsecond.

Standard library only, for it runs in the peers' environment too. Each thread of each process has a file of its own, named
by the process id: a header of four numbers, then pairs of (called, started) for runs whose caller said when it called.
All times are of the machine's monotonic clock, which is the same in every process.
"""

import mmap
import os
import struct
import threading
import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MAX_PAIRS = 65_536
_HEADER = struct.Struct("<QQdd")
_PAIR = struct.Struct("<dd")
_SIZE = _HEADER.size + MAX_PAIRS * _PAIR.size


class Tally:
    """The counts of one process. Safe to use from all of its threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = threading.local()
        # A child process must not count in its parent's file.
        os.register_at_fork(after_in_child=self._begin_anew)

    @classmethod
    def of_environment(cls) -> "Tally":
        return cls(Path(os.environ["TALLY_FOLDER"]))

    def ran(self, called_at: float = 0.0) -> None:
        """One handler ran. `called_at` is when its job was asked for, if that is measured."""
        now = time.monotonic()
        page = self._page()
        runs, pairs, first, _ = _HEADER.unpack_from(page)
        if called_at and pairs < MAX_PAIRS:
            _PAIR.pack_into(page, _HEADER.size + pairs * _PAIR.size, called_at, now)
            pairs += 1
        _HEADER.pack_into(page, 0, runs + 1, pairs, first or now, now)

    def _page(self) -> mmap.mmap:
        page: mmap.mmap | None = getattr(self._own, "page", None)
        if page is None:
            path = self._folder / f"{os.getpid()}-{threading.get_ident()}"
            path.write_bytes(bytes(_SIZE))
            with path.open("r+b") as file:
                page = self._own.page = mmap.mmap(file.fileno(), _SIZE)
        return page

    def _begin_anew(self) -> None:
        self._own = threading.local()


@dataclass(frozen=True, slots=True)
class Count:
    """What all processes together have told so far."""

    runs: int
    processes: int
    first_at: float
    last_at: float


def count(folder: Path) -> Count:
    headers = [(path.name.partition("-")[0], *_header(path)) for path in folder.iterdir()]
    told = [header for header in headers if header[1]]
    return Count(
        runs=sum(runs for _, runs, *_ in told),
        processes=len({pid for pid, *_ in told}),
        first_at=min((first for _, _, _, first, _ in told), default=0.0),
        last_at=max((last for *_, last in told), default=0.0),
    )


def latencies(folder: Path, *, called_between: tuple[float, float]) -> list[float]:
    """Seconds from the call to the handler's first line, sorted, of the jobs asked for between these times."""
    earliest, latest = called_between
    pairs = (pair for path in folder.iterdir() for pair in _pairs(path))
    return sorted(started - called for called, started in pairs if earliest <= called < latest)


def _header(path: Path) -> tuple[int, int, float, float]:
    with path.open("rb") as file:
        raw = file.read(_HEADER.size)
    return _HEADER.unpack(raw) if len(raw) == _HEADER.size else (0, 0, 0.0, 0.0)


def _pairs(path: Path) -> Iterable[tuple[float, float]]:
    _, pairs, *_ = _header(path)
    raw = path.read_bytes()[_HEADER.size : _HEADER.size + pairs * _PAIR.size]
    numbers = array("d", raw)
    return zip(numbers[::2], numbers[1::2], strict=True)
