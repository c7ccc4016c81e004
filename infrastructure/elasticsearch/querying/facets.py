"""Facets as aggregations: each counts under every filter but its own, so that a user sees the other choices."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.search import MAX_PERIODS, Facet, FacetField, FacetValue, Filters, SearchQuery

Query = dict[str, Any]

PRECISION: Final = 1_000
"""Values that each shard counts at least: with several, the most frequent of all may not be among the first of each."""
# Whole tags such as fr-CH are listed in the field as well; languages are what is counted.
_LANGUAGES_ALONE: Final = "[a-z]{2,3}"


def aggregations(query: SearchQuery, filters: Sequence[tuple[FacetField | None, Query]]) -> dict[str, Any]:
    """One aggregation for each facet that is asked for, named like it."""
    return {field.value: _aggregation(field, query, filters) for field in query.facets}


def _aggregation(
    field: FacetField, query: SearchQuery, filters: Sequence[tuple[FacetField | None, Query]]
) -> dict[str, Any]:
    others = [one for own, one in filters if own is not None and own is not field]
    values: dict[str, Any] = {"values": _buckets(field, query)}
    if chosen := _chosen(query.filters, field):
        values["chosen"] = {"filters": {"filters": {value: {"term": {field.value: value}} for value in chosen}}}
    return {"filter": {"bool": {"filter": others}}, "aggs": values}


def _buckets(field: FacetField, query: SearchQuery) -> dict[str, Any]:
    if field is FacetField.CREATED_AT:
        histogram = {
            "field": field.value,
            "calendar_interval": query.period.value,
            "format": "yyyy-MM-dd",
            "order": "desc",
        }
        # Only the periods that have any document, and no more of them than are shown.
        return {"composite": {"size": MAX_PERIODS, "sources": [{"period": {"date_histogram": histogram}}]}}
    terms: dict[str, Any] = {
        "field": field.value,
        "size": query.facet_limit,
        "shard_size": max(PRECISION, query.facet_limit),
        "order": [{"_count": "desc"}, {"_key": "asc"}],
    }
    if field is FacetField.LANGUAGE:
        terms["include"] = _LANGUAGES_ALONE
    return {"terms": terms}


def read_facets(query: SearchQuery, answer: Mapping[str, Any]) -> tuple[Facet, ...]:
    """The facets in the order in which they were asked for."""
    return tuple(_facet(field, query.filters, answer[field.value]) for field in query.facets)


def _facet(field: FacetField, filters: Filters, answer: Mapping[str, Any]) -> Facet:
    if field is FacetField.CREATED_AT:
        periods = [(bucket["key"]["period"], bucket["doc_count"]) for bucket in answer["values"]["buckets"]]
        shown = tuple(FacetValue(value=day, count=count) for day, count in sorted(periods))
        return Facet(field=field, values=shown, others=answer["doc_count"] - sum(count for _, count in periods))
    listed = {bucket["key"]: bucket["doc_count"] for bucket in answer["values"]["buckets"]}
    chosen = {value: one["doc_count"] for value, one in answer.get("chosen", {"buckets": {}})["buckets"].items()}
    unlisted = {value: count for value, count in chosen.items() if value not in listed}
    ranked = sorted((listed | unlisted).items(), key=lambda value: (-value[1], value[0]))
    return Facet(
        field=field,
        values=tuple(FacetValue(value=value, count=count) for value, count in ranked),
        others=answer["values"]["sum_other_doc_count"] - sum(unlisted.values()),
    )


def _chosen(filters: Filters, field: FacetField) -> Sequence[str]:
    chosen: Mapping[FacetField, Sequence[str]] = {
        FacetField.DOCUMENT_TYPE: filters.document_types,
        FacetField.INDUSTRY: filters.industries,
        FacetField.LANGUAGE: tuple({tag.partition("-")[0] for tag in filters.languages}),
        FacetField.TAGS: tuple({*filters.any_tags, *filters.tags}),
        FacetField.MEDIA_TYPE: filters.media_types,
    }
    return chosen.get(field, ())
