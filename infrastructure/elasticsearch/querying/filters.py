"""Filters as Elasticsearch's own. None of them changes a score, and Elasticsearch keeps what they match."""

from collections.abc import Iterator, Sequence
from typing import Any

from infrastructure.elasticsearch.fields import microseconds
from schemas.search import FacetField, Filters, Period, Range, Span, TimeField

Query = dict[str, Any]


def compile_filters(filters: Filters) -> Iterator[tuple[FacetField | None, Query]]:
    """Each filter, and the facet that it doesn't narrow."""
    if filters.document_types:
        yield FacetField.DOCUMENT_TYPE, any_value("document_type", filters.document_types)
    if filters.industries:
        yield FacetField.INDUSTRY, any_value("industry", filters.industries)
    if filters.languages:
        yield FacetField.LANGUAGE, any_value("language", filters.languages)
    if filters.any_tags:
        yield FacetField.TAGS, any_value("tags", filters.any_tags)
    if filters.media_types:
        yield FacetField.MEDIA_TYPE, any_value("media_type", filters.media_types)
    if filters.created and (limits := _of_period(filters.created)):
        yield FacetField.CREATED_AT, {"range": {"created_at_us": limits}}
    for query in _narrowing_all(filters):
        yield None, query


def _narrowing_all(filters: Filters) -> Iterator[Query]:
    yield from (any_value("tags", (tag,)) for tag in filters.tags)
    if filters.document_ids:
        yield any_value("id", filters.document_ids)
    if filters.updated and (limits := _of_period(filters.updated)):
        yield {"range": {"updated_at_us": limits}}
    if filters.characters and (numbers := _of_span(filters.characters)):
        yield {"range": {"characters": numbers}}
    if filters.pages and (numbers := _of_span(filters.pages)):
        yield {"range": {"pages": numbers}}
    yield from (exists(field.value) for field in filters.has)
    yield from ({"bool": {"must_not": [exists(field.value)]}} for field in filters.lacks)


def any_value(field: str, values: Sequence[str]) -> Query:
    return {"terms": {field: list(values)}}


def exists(field: str) -> Query:
    return {"exists": {"field": field}}


def within(limits: Range) -> Query:
    if isinstance(limits.field, TimeField):
        return {"range": {f"{limits.field}_us": _of_period(Period(since=limits.since, before=limits.before))}}
    return {"range": {limits.field.value: _of_span(Span(at_least=limits.at_least, below=limits.below))}}


def _of_period(period: Period) -> dict[str, Any]:
    limits = {"gte": period.since, "lt": period.before}
    return {name: microseconds(moment) for name, moment in limits.items() if moment is not None}


def _of_span(span: Span) -> dict[str, Any]:
    limits = {"gte": span.at_least, "lt": span.below}
    return {name: number for name, number in limits.items() if number is not None}
