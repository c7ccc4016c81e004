"""Pages one after the other, however deep. What one page hands to the next is where it ended, and which documents it gave
last: while the index is as it was, the rank alone leads on; after a change, the place of the last hit does."""

import struct
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

from tantivy import DocAddress, Query, Searcher

from infrastructure.ports import Refused
from infrastructure.tantivy.fields import SCHEMA
from infrastructure.tantivy.generations.folder import View
from infrastructure.tantivy.searches.filters import all_of, unscored
from infrastructure.tantivy.searches.finding import ORDERINGS, Hits, Ordering, find, total_of
from schemas.search import Consistency, Sort

FORMAT: Final = 1
MAX_REMEMBERED: Final = 200
"""Documents given last, which don't come again when the index has changed."""
_HEAD: Final = struct.Struct(">BBB16sQQd")
_KEY: Final = struct.Struct(">q")
_SORTS: Final = tuple(Sort)
_ROUNDING: Final = 1e-5
"""A score is summed up in another order where less is looked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended."""

    sort: Sort
    consistency: Consistency
    index: bytes
    rank: int
    """Of the next hit."""
    value: float
    """What the last hit was ordered by."""
    ties: int
    """How many hits in a row, the last one included, had this value."""
    given: tuple[int, ...]
    """Keys of the documents given last, the last one at the end."""

    def to_bytes(self) -> bytes:
        resumed = self.consistency is Consistency.RESUMED
        head = (FORMAT, _SORTS.index(self.sort), resumed, self.index, self.rank, self.ties, self.value)
        return _HEAD.pack(*head) + b"".join(map(_KEY.pack, self.given))

    @classmethod
    def from_bytes(cls, after: bytes, sort: Sort) -> "Place":
        """Refused for what no page of this order handed out."""
        keys, odd = divmod(len(after) - _HEAD.size, _KEY.size)
        if odd or not 0 < keys <= MAX_REMEMBERED:
            raise _not_ours()
        version, order, resumed, index, rank, ties, value = _HEAD.unpack_from(after)
        if version != FORMAT or order != _SORTS.index(sort) or resumed not in (0, 1) or value != value:
            raise _not_ours()
        consistency = Consistency.RESUMED if resumed else Consistency.SNAPSHOT
        given = tuple(key for (key,) in _KEY.iter_unpack(after[_HEAD.size :]))
        return cls(sort, consistency, index, rank, value, ties, given)


class Turned(NamedTuple):
    """A page, and where it ended; None when there is nothing more."""

    hits: Hits
    rank: int
    """Of the hit after the page."""
    place: Place | None
    consistency: Consistency


class Pages:
    """The pages of one search."""

    def __init__(self, view: View, wanted: Query, sort: Sort) -> None:
        self._searcher: Searcher = view.searcher
        self._index = blake2b(view.stamp, digest_size=16).digest()
        self._wanted = wanted
        self._sort = sort
        self._ordering: Ordering = ORDERINGS[sort]

    def at(self, offset: int, limit: int) -> Turned:
        hits = self._find(offset, limit)
        return self._turned(hits, range(offset, offset + limit), None, Consistency.SNAPSHOT)

    def after(self, place: Place, limit: int) -> Turned:
        if place.index != self._index:
            return self._resume(place, limit)
        if place.rank > self._searcher.num_docs:
            raise _not_ours()
        hits = self._find(place.rank, limit)
        return self._turned(hits, range(place.rank, place.rank + limit), place, place.consistency)

    def _resume(self, place: Place, limit: int) -> Turned:
        """Behind the place where the last hit is now, or would be."""
        total = total_of(self._searcher, self._wanted)
        start = min(self._first_rank(place, total) + max(0, place.ties - len(place.given)), total)
        window = self._find(start, limit + len(place.given)).ranked
        keys = self._keys([address for _, address in window])
        fresh = [at for at, key in enumerate(keys) if key not in place.given][:limit]
        hits = Hits(total, [window[at] for at in fresh])
        return self._turned(hits, [start + at for at in fresh], place, Consistency.RESUMED)

    def _first_rank(self, place: Place, total: int) -> int:
        """Of the hits that don't come before the last one."""
        value = self._score_now(place) if self._ordering.field is None else place.value
        if value is None:
            return max(0, place.rank - len(place.given))
        return bisect_left(range(total), True, key=lambda rank: not self._is_before(self._value_at(rank), value))

    def _score_now(self, place: Place) -> float | None:
        """Scores depend on all documents: that of the last hit which is still one is looked up again."""
        for key in reversed(place.given):
            this = unscored(Query.term_query(SCHEMA, "key", key))
            hits = find(self._searcher, all_of([self._wanted, this]), self._ordering, offset=0, limit=1).ranked
            if hits:
                return hits[0][0] * (1 + _ROUNDING)
        return None

    def _value_at(self, rank: int) -> float:
        return self._find(rank, 1).ranked[0][0]

    def _is_before(self, one: float, other: float) -> bool:
        return one > other if self._ordering.descending else one < other

    def _turned(self, hits: Hits, ranks: Sequence[int], before: Place | None, consistency: Consistency) -> Turned:
        if not hits.ranked:
            return Turned(hits, hits.total, None, consistency)
        rank = ranks[len(hits.ranked) - 1] + 1
        if rank >= hits.total:
            return Turned(hits, rank, None, consistency)
        values = [value for value, _ in hits.ranked]
        last = values[-1]
        ties = next((n for n, value in enumerate(reversed(values)) if value != last), len(values))
        if before is not None and ties == len(values) and before.value == last:
            ties += before.ties
        earlier = () if before is None else before.given
        given = (*earlier, *self._keys([address for _, address in hits.ranked]))[-MAX_REMEMBERED:]
        place = Place(self._sort, consistency, self._index, rank, float(last), ties, given)
        return Turned(hits, rank, place, consistency)

    def _find(self, offset: int, limit: int) -> Hits:
        return find(self._searcher, self._wanted, self._ordering, offset=offset, limit=limit)

    def _keys(self, addresses: list[DocAddress]) -> list[int]:
        return [int(key or 0) for key in self._searcher.fast_field_values("key", addresses)]


def _not_ours() -> Refused:
    return Refused("this continuation of a search was made by no page of it; begin again without it")
