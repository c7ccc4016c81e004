"""PostgreSQL's snapshots as values: which transactions are visible, and where a reader may stop between two snapshots.

The text form is PostgreSQL's `xmin:xmax:xip,…`: all below xmin are visible, none from xmax on, and none of those
listed.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Snapshot:
    end: int
    """xmax: transactions from this id on are invisible."""
    running: tuple[int, ...]
    """The invisible transactions below `end`, in order."""

    def shows(self, xid: int) -> bool:
        return xid < self.end and xid not in self.running

    def within(self, other: "Snapshot") -> bool:
        """Whether everything visible here is visible in the other."""
        if any(self.shows(xid) for xid in other.running):
            return False
        # Nothing at or above the other's end may be visible here.
        unseen = len(self.running) - bisect_left(self.running, other.end)
        return self.end - other.end <= unseen

    @property
    def text(self) -> str:
        lowest = self.running[0] if self.running else self.end
        return f"{lowest}:{self.end}:{','.join(map(str, self.running))}"


@lru_cache(maxsize=4_096)
def parse(text: str) -> Snapshot:
    """Parses a snapshot in PostgreSQL's text form."""
    _, end, running = text.split(":")
    return Snapshot(int(end), tuple(int(xid) for xid in running.split(",")) if running else ())


def advanced(seen: Snapshot, upto: Snapshot, cut: int) -> Snapshot:
    """A snapshot of what `seen` shows, plus the transactions below `cut` that `upto` shows. `seen` lies within
    `upto`."""
    below = tuple(xid for xid in upto.running if xid < cut)
    above = tuple(xid for xid in seen.running if xid >= cut)
    return Snapshot(max(cut, seen.end), below + above)


def highest_cut(rows: Sequence[tuple[int, int | None]], beyond: int) -> int | None:
    """The highest transaction id, at most `beyond`, at which a page may end: no job's event is below it while the job's
    previous event isn't.

    `rows` are (its transaction, that of the same job's event before it if that wasn't seen yet) for all events below
    `beyond`, in the order of their transactions. None when there is no such place behind the first of them.

    Ids are given when a transaction begins to write, and a job's row may wait until another with a greater id has
    committed: a cut between the two would show the job's later event first.
    """
    cut = beyond
    while True:
        torn = [xid for xid, before in rows if xid < cut and before is not None and before >= cut]
        if not torn:
            return cut if rows and rows[0][0] < cut else None
        cut = min(torn)
