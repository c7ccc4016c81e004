"""Asks Tantivy for hits, in one of our orders."""

from collections.abc import Sequence
from typing import NamedTuple

from tantivy import DocAddress, Order, Query, Searcher, SearchResult

from schemas.search import SearchQuery, Sort


class Hits(NamedTuple):
    total: int
    ranked: Sequence[tuple[float, DocAddress]]
    """What each is ordered by, and where it is."""


class Ordering(NamedTuple):
    """What hits are ordered by: a field, or their score. Equals come as they lie in the index, which is the same each time."""

    field: str | None
    descending: bool


ORDERINGS = {
    Sort.RELEVANCE: Ordering(None, descending=True),
    Sort.NEWEST: Ordering("created_at", descending=True),
    Sort.OLDEST: Ordering("created_at", descending=False),
    Sort.CHANGED: Ordering("updated_at", descending=True),
    Sort.LONGEST: Ordering("characters", descending=True),
    Sort.SHORTEST: Ordering("characters", descending=False),
}


def sort_of(query: SearchQuery) -> Sort:
    return query.sort or (Sort.RELEVANCE if query.match else Sort.NEWEST)


def find(searcher: Searcher, wanted: Query, ordering: Ordering, *, offset: int, limit: int, count: bool = True) -> Hits:
    """`limit` hits from the rank `offset` on, and how many there are in all if they are to be counted."""
    at_least_one = max(limit, 1)  # Tantivy panics at 0.
    if ordering.field is None:
        result = searcher.search(wanted, at_least_one, offset=offset, count=count)
    else:
        order = Order.Desc if ordering.descending else Order.Asc
        result = searcher.search(
            wanted, at_least_one, offset=offset, count=count, order_by_field=ordering.field, order=order
        )
    return Hits(_total(result) if count else 0, result.hits[:limit])


def total_of(searcher: Searcher, wanted: Query) -> int:
    return _total(searcher.search(wanted, 1))


def _total(result: SearchResult) -> int:
    return int(result.count)  # type: ignore[attr-defined]  # tantivy's stubs lack it
