"""Where a page of events may end: a model of transactions that overlap, wait for rows and commit in any order."""

from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.postgres.events.snapshots import Snapshot, advanced, highest_cut, parse


@dataclass
class History:
    """What transactions wrote: (transaction, job, seq), in the order of the clock."""

    rows: list[tuple[int, int, int]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)

    def before(self, job: int, seq: int) -> int | None:
        return next((xid for xid, j, s in self.rows if (j, s) == (job, seq - 1)), None)


def happened(steps: list[tuple[int, int]]) -> History:
    """Each step is one session's: it writes an event of that job if no other's transaction holds it, and commits at 0."""
    history, seqs = History(), defaultdict[int, int](int)
    holders: dict[int, int] = {}
    open_ones: dict[int, int] = {}
    following = 10
    for session, job in steps:
        if job == 0:
            ended = open_ones.pop(session, None)
            holders = {held: xid for held, xid in holders.items() if xid != ended}
        else:
            if session not in open_ones:
                open_ones[session], following = following, following + 1
            mine = open_ones[session]
            if holders.setdefault(job, mine) == mine:
                seqs[job] += 1
                history.rows.append((mine, job, seqs[job]))
        history.snapshots.append(Snapshot(following, tuple(sorted(open_ones.values()))))
    history.snapshots.append(Snapshot(following, ()))
    return history


def read(history: History, seen: Snapshot, upto: Snapshot, limit: int) -> tuple[list[tuple[int, int, int]], Snapshot]:
    """As `stretches.stretch` does."""
    new = [row for row in history.rows if upto.shows(row[0]) and not seen.shows(row[0])]
    by_transaction = sorted(new, key=lambda row: row[0])
    if len(new) <= limit:
        return new, upto
    beyond = by_transaction[limit][0]
    looked_at = []
    for xid, job, seq in by_transaction[:limit]:
        before = history.before(job, seq)
        if xid < beyond:
            looked_at.append((xid, None if before is None or seen.shows(before) else before))
    cut = highest_cut(looked_at, beyond)
    if cut is None:
        return new, upto
    return [row for row in new if row[0] < cut], advanced(seen, upto, cut)


steps = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=20, max_size=60)


@settings(max_examples=500)
@given(steps, st.integers(1, 4), st.data())
def test_pages_lose_and_repeat_nothing_and_keep_each_jobs_order(
    taken: list[tuple[int, int]], limit: int, data: st.DataObject
) -> None:
    history = happened(taken)
    start, between = sorted(data.draw(st.tuples(*[st.integers(0, len(history.snapshots) - 1)] * 2)))
    seen = history.snapshots[start]
    told: list[tuple[int, int, int]] = []
    for upto in (history.snapshots[between], history.snapshots[-1]):
        while seen != upto and not (seen.within(upto) and upto.within(seen)):
            rows, end = read(history, seen, upto, limit)
            assert seen.within(end)
            assert end.within(upto)
            assert parse(end.text) == end
            assert rows or end == upto
            told += rows
            seen = end

    expected = [row for row in history.rows if not history.snapshots[start].shows(row[0])]
    assert sorted(told) == sorted(expected)
    for job in {job for _, job, _ in told}:
        seqs = [seq for _, j, seq in told if j == job]
        assert seqs == sorted(seqs)


@given(steps)
def test_a_later_snapshot_shows_all_that_an_earlier_one_does(taken: list[tuple[int, int]]) -> None:
    history = happened(taken)
    for earlier, later in zip(history.snapshots, history.snapshots[1:], strict=False):
        assert earlier.within(later)
        shown = {xid for xid in range(9, later.end + 2) if later.shows(xid)}
        assert later.within(earlier) == all(earlier.shows(xid) for xid in shown)


@pytest.mark.parametrize(
    ("rows", "beyond", "cut"),
    [
        ([(5, None), (6, None)], 7, 7),
        ([(5, None), (6, 8), (7, None)], 8, 6),
        ([(5, 6), (6, None)], 7, 7),
        ([(5, 9)], 8, None),
        ([], 8, None),
    ],
)
def test_a_page_never_ends_between_a_jobs_event_and_the_one_before_it(
    rows: list[tuple[int, int | None]], beyond: int, cut: int | None
) -> None:
    assert highest_cut(rows, beyond) == cut
