"""The shape of a search: what it is made of, without a word of what was looked for."""

from collections import Counter

from schemas.search import AllTerms, Filters, Phrase, Prefix, QueryShape, SearchQuery
from schemas.search.match import walk
from schemas.search.text import WORD


def shape_of(searched: SearchQuery, *, deep: bool = False) -> QueryShape:
    """Of a search as an engine is asked, with its synonyms."""
    ops: Counter[str] = Counter()
    words, deepest = 0, 0
    for clause, level in walk(searched.match):
        ops[f"{clause.op}~" if isinstance(clause, AllTerms) and clause.fuzzy else clause.op] += 1
        words += len(WORD.findall(clause.text)) if isinstance(clause, AllTerms | Phrase | Prefix) else 0
        deepest = max(deepest, level)
    return QueryShape(
        ops=dict(sorted(ops.items())),
        words=words,
        levels=deepest,
        filters=filters_in(searched.filters),
        facets=searched.facets,
        sort=searched.sort,
        highlight=searched.highlight,
        limit=searched.limit,
        offset=searched.offset,
        deep=deep,
    )


def filters_in(filters: Filters) -> tuple[str, ...]:
    """The names of those that are set."""
    return tuple(name for name in Filters.model_fields if getattr(filters, name))
