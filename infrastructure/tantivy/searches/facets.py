"""Counts the values of fields: what a user would get by choosing each."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, assert_never

from tantivy import Query, Searcher

from infrastructure.tantivy.calendar import first_day, period_field
from infrastructure.tantivy.fields import SCHEMA
from infrastructure.tantivy.searches.filters import all_of, compile_filters, counted_field, narrows
from infrastructure.tantivy.searches.finding import total_of
from infrastructure.tantivy.words import language_alone
from schemas.search import MAX_PERIODS, CalendarPeriod, Facet, FacetField, FacetValue, Filters, SearchQuery

RANKED = 1_000
"""Values that are put in order where many are equally frequent. Tantivy itself orders those as it likes."""
COUNTED_PER_SEGMENT = 50_000


def facets(searcher: Searcher, matched: Query, query: SearchQuery) -> Iterator[Facet]:
    """Each under every filter but the field's own; a value the user has chosen is listed even when it has no hit."""

    def left_out(field: FacetField) -> str:
        return field.value if narrows(query.filters, field) else ""

    found: dict[FacetField, Facet] = {}
    # Those that no filter of their own concerns are counted together.
    for own, together in groupby(sorted(query.facets, key=left_out), key=left_out):
        fields = list(together)
        counted = all_of([matched, *compile_filters(query.filters, but=FacetField(own) if own else None)])
        answers = searcher.aggregate(counted, {field.value: {"terms": _terms(field, query)} for field in fields})
        found |= {field: _facet(searcher, counted, field, query, answers[field.value]) for field in fields}
    return (found[field] for field in query.facets)


def _terms(field: FacetField, query: SearchQuery) -> Mapping[str, Any]:
    if field is FacetField.CREATED_AT:
        newest = {"size": MAX_PERIODS, "segment_size": MAX_PERIODS, "order": {"_key": "desc"}}
        return {"field": period_field(query.period), **newest}
    return {"field": counted_field(field), "size": RANKED, "segment_size": COUNTED_PER_SEGMENT}


def _facet(
    searcher: Searcher, counted: Query, field: FacetField, query: SearchQuery, answer: Mapping[str, Any]
) -> Facet:
    counts = {bucket["key"]: bucket["doc_count"] for bucket in answer["buckets"]}
    others = answer["sum_other_doc_count"]
    if field is FacetField.CREATED_AT:
        return Facet(field=field, values=_periods(query.period, counts), others=others)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    listed, unlisted = ranked[: query.facet_limit], ranked[query.facet_limit :]
    chosen = _chosen(query.filters, field).difference(listed)
    counts |= {value: _count(searcher, counted, field, value) for value in chosen.difference(counts)}
    beyond = sum(counts[value] for value in unlisted) + others - sum(counts[value] for value in chosen)
    shown = sorted([*listed, *chosen], key=lambda value: (-counts[value], value))
    return Facet(
        field=field, values=tuple(FacetValue(value=value, count=counts[value]) for value in shown), others=beyond
    )


def _periods(period: CalendarPeriod, counts: Mapping[float, int]) -> tuple[FacetValue, ...]:
    return tuple(
        FacetValue(value=first_day(period, int(number)).isoformat(), count=counts[number]) for number in sorted(counts)
    )


def _chosen(filters: Filters, field: FacetField) -> set[str]:
    chosen: Sequence[str]
    match field:
        case FacetField.DOCUMENT_TYPE:
            chosen = filters.document_types
        case FacetField.INDUSTRY:
            chosen = filters.industries
        case FacetField.LANGUAGE:
            chosen = [language_alone(tag) for tag in filters.languages]
        case FacetField.TAGS:
            chosen = (*filters.tags, *filters.any_tags)
        case FacetField.MEDIA_TYPE:
            chosen = filters.media_types
        case FacetField.CREATED_AT:
            chosen = ()
        case _:
            assert_never(field)
    return set(chosen)


def _count(searcher: Searcher, counted: Query, field: FacetField, value: str) -> int:
    return total_of(searcher, all_of([counted, Query.term_query(SCHEMA, counted_field(field), value)]))
