"""Whether a new generation may take the place of the old one."""

from collections.abc import Sequence

from tantivy import FieldType, Order, Query, Searcher

from infrastructure.ports.search import RebuildDiffers
from infrastructure.tantivy.fields import SCHEMA
from infrastructure.tantivy.generations.changes import version_of
from infrastructure.tantivy.searches.finding import total_of
from infrastructure.tantivy.searches.query import found_ids, wanted_by
from schemas.search import MAX_HITS, SearchQuery

COMPARED_AT_ONCE = 5_000
NAMED = 5
"""The most documents that a message names."""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def check_documents(searcher: Searcher, given: Sequence[int]) -> None:
    """Raises RebuildDiffers unless the index has exactly the documents whose keys were given, each once."""
    keys = sorted(set(given))
    missing = others = 0
    firsts = [_SMALLEST, *keys[COMPARED_AT_ONCE::COMPARED_AT_ONCE]]
    for number, first in enumerate(firsts):
        last = firsts[number + 1] - 1 if number + 1 < len(firsts) else _LARGEST
        expected = keys[number * COMPARED_AT_ONCE : (number + 1) * COMPARED_AT_ONCE]
        found = _keys_between(searcher, first, last, at_most=len(expected) + COMPARED_AT_ONCE)
        missing += len(set(expected).difference(found))
        others += len(found) - len(set(expected).intersection(found))
    if missing or others:
        raise RebuildDiffers(
            f"of {len(keys)} documents the rebuilt index lacks {missing} and has {others} that weren't given"
        )


def _keys_between(searcher: Searcher, first: int, last: int, *, at_most: int) -> list[int]:
    between = Query.range_query(SCHEMA, "key", FieldType.Integer, first, last)
    result = searcher.search(between, at_most, count=False, order_by_field="key", order=Order.Asc)
    return [key for key, _ in result.hits]


def check_golden(old: Searcher, new: Searcher, golden: Sequence[SearchQuery]) -> None:
    """Raises RebuildDiffers unless the new index finds by each query what the old one finds: those documents at least which
    both have at the same version, and something wherever the old one found anything."""
    for number, query in enumerate(golden, start=1):
        in_old, in_new = wanted_by(query, old), wanted_by(query, new)
        before, now = total_of(old, in_old), total_of(new, in_new)
        if before and not now:
            raise RebuildDiffers(f"golden query {number} found {before} documents and would find none")
        named = found_ids(old, in_old, MAX_HITS)
        same = {name for name in named if version_of(old, name) == version_of(new, name)}
        lost = sorted(same - set(found_ids(new, in_new, MAX_HITS, among=sorted(same)))) if same else []
        if lost:
            shown = ", ".join(lost[:NAMED])
            raise RebuildDiffers(f"golden query {number} would no longer find {len(lost)} documents, such as {shown}")
