"""Pages of stored events and the chunks in which they are sent. A chunk is encoded once for all its clients."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from typing import Generic, TypeVar
from uuid import UUID

from api.streams.encoding import Announced
from api.streams.subscribers import TypedEvents
from infrastructure.postgres.events.feed import EventRow, JobRows, News, Place, Position

CHUNK_BYTES = 64_000
"""Approximate size of a write, and so the memory held by a client that doesn't read."""
BYTES_OF_AN_EVENT = 350
"""Encoded size of an event without its data."""
BYTES_OF_A_ROW = 400
"""Memory of a row without its data."""
MAX_PATTERNS = 4
"""Type patterns per chunk whose encodings are cached."""

Behind = TypeVar("Behind", Position, int)


@dataclass(frozen=True)
class Chunk(Generic[Behind]):
    """The next events for one client."""

    rows: tuple[EventRow, ...]
    behind: Behind
    """The client's position after this chunk."""
    last: bool
    """Whether it reached the end of what was stored when it was read."""
    over: bool = False
    """Whether no more events will follow."""
    passed: bool = False
    """Whether it ends with events that the filter dropped, so that its last event doesn't give its position."""
    news: News | None = None
    """Gives its rows their positions in the tenant's feed; None in a job's stream."""
    end_of: "Chunk[Behind] | None" = None
    """The chunk whose last rows these are: their frames are cut from its own."""

    def without_first(self, rows: int) -> "Chunk[Behind]":
        """What is left for a client that has had so many of its rows. It encodes nothing of its own, so a thousand clients at
        different places in a chunk cost its encoding once."""
        return replace(self, rows=self.rows[rows:], end_of=self)

    def events(self) -> Iterator[Announced]:
        """The events, created on each call. Only `frames` is cached."""
        for row in self.rows:
            yield Announced.stored(row, None if self.news is None else self.news.position_of(row))

    @cached_property
    def frames(self) -> bytes:
        """The chunk as SSE frames."""
        if self.end_of is not None:
            return self.end_of.last_frames(len(self.rows))
        return self._encoded[0]

    def last_frames(self, rows: int) -> bytes:
        """The frames of so many rows at the end."""
        frames, starts = self._encoded
        return frames[starts[len(self.rows) - rows] :]

    @cached_property
    def _encoded(self) -> tuple[bytes, list[int]]:
        """The frames, and where each of them begins, with the end of the last."""
        frames = [one.for_job() if self.news is None else one.for_tenant() for one in self.events()]
        return b"".join(frames), list(accumulate(map(len, frames), initial=0))


class FeedPage:
    """The events of a tenant that became visible between two snapshots, up to the size of a page.

    `tail` is True when nothing followed at the time."""

    def __init__(self, news: News, *, tail: bool) -> None:
        self._news = news
        self.tail = tail
        self._starts = _starts(news.rows)
        self._chunks: dict[tuple[int, TypedEvents], Chunk[Position]] = {}
        self.bytes = _bytes(news.rows)

    @property
    def seen(self) -> str:
        return self._news.seen

    @property
    def upto(self) -> str:
        return self._news.upto

    @property
    def whole(self) -> bool:
        """Whether it has all events between the two snapshots."""
        return self._news.position.upto is None

    def after(self, place: Place | None, wants: TypedEvents) -> Chunk[Position]:
        rows = self._news.rows
        position = 0 if place is None else bisect_right(rows, _order(place), key=_order)
        start = _start(self._starts, position)
        chunk = self._chunk(start, wants)
        if position == start:
            return chunk
        return chunk.without_first(sum(wants.match(row.type) for row in rows[start:position]))

    def _chunk(self, start: int, wants: TypedEvents) -> Chunk[Position]:
        known = self._chunks.get((start, wants))
        if known is not None:
            return known
        end = _end(self._starts, start, len(self._news.rows))
        rows, to_the_end = self._news.rows[start:end], end == len(self._news.rows)
        chunk = Chunk(
            tuple(row for row in rows if wants.match(row.type)),
            behind=self._news.position if to_the_end else self._news.position_of(rows[-1]),
            last=to_the_end and self.tail,
            passed=bool(rows) and not wants.match(rows[-1].type),
            news=self._news,
        )
        if len(self._chunks) < MAX_PATTERNS * len(self._starts):
            self._chunks[start, wants] = chunk
        return chunk


class JobPage:
    """A job's events after the seq `behind`."""

    def __init__(self, found: JobRows, *, behind: int) -> None:
        self.behind = behind
        self._found = found
        self._starts = _starts(found.rows)
        self._chunks: dict[int, Chunk[int]] = {}
        self.bytes = _bytes(found.rows)

    @property
    def tail(self) -> bool:
        return not self._found.more

    def after(self, seq: int) -> Chunk[int]:
        position = bisect_right(self._found.rows, seq, key=lambda row: row.seq)
        start = _start(self._starts, position)
        chunk = self._chunk(start)
        left = chunk if position == start else chunk.without_first(position - start)
        return left if left.rows else replace(left, behind=seq)

    def _chunk(self, start: int) -> Chunk[int]:
        known = self._chunks.get(start)
        if known is not None:
            return known
        rows = self._found.rows
        end = _end(self._starts, start, len(rows))
        at_the_end = end == len(rows) and self.tail
        chunk = self._chunks[start] = Chunk(
            rows[start:end],
            behind=rows[end - 1].seq if end > start else self.behind,
            last=at_the_end,
            over=at_the_end and self._found.over,
        )
        return chunk


def _order(of: EventRow | Place) -> tuple[datetime, UUID, int]:
    return of.at, of.job_id, of.seq


def _starts(rows: Sequence[EventRow]) -> list[int]:
    """The index of the first row of each chunk."""
    starts, size = [0], 0
    for number, row in enumerate(rows):
        if size >= CHUNK_BYTES:
            starts.append(number)
            size = 0
        size += BYTES_OF_AN_EVENT + len(row.data or "")
    return starts


def _start(starts: list[int], position: int) -> int:
    """The index at which the chunk with this row begins."""
    return starts[bisect_right(starts, position) - 1]


def _end(starts: list[int], start: int, rows: int) -> int:
    """The end index of the chunk that contains `start`."""
    following = bisect_right(starts, start)
    return starts[following] if following < len(starts) else rows


def _bytes(rows: Sequence[EventRow]) -> int:
    """Estimated memory of a page, with each chunk encoded once."""
    return BYTES_OF_A_ROW + sum(BYTES_OF_A_ROW + BYTES_OF_AN_EVENT + 2 * len(row.data or "") for row in rows)
