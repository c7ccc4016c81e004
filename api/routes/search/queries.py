"""Answers searches, and questions about what they would find."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from api.endpoint import Call, Empty
from api.http import problems
from api.http.responses import Answer, json_answer
from api.routes.search.filters import FilterQuery, filters_of, listed
from infrastructure.postgres.documents import queries
from schemas.problems import FieldProblem
from schemas.search import (
    CalendarPeriod,
    FacetCounts,
    FacetField,
    SearchQuery,
    SearchResults,
    Suggestion,
    Suggestions,
)
from schemas.search.text import SearchText


class SuggestQuery(FilterQuery):
    q: SearchText
    """What was typed so far."""
    limit: Annotated[int, Field(ge=1, le=20)] = 8


class FacetQuery(FilterQuery):
    fields: Annotated[str, Field(max_length=200, examples=["document_type,tags"])]
    """Whose values are counted, with commas between."""
    q: SearchText | None = None
    """As a person types it; everything if it isn't given."""
    facet_limit: Annotated[int, Field(ge=1, le=100)] = 10
    period: CalendarPeriod = CalendarPeriod.MONTH
    """Of the facet `created_at`, in UTC."""
    synonyms: bool = True


async def search(call: Call[SearchQuery, Empty]) -> Answer:
    """Searches the tenant's own index. It has a deleted document until the job that removes it has run, which may be held or
    wait: so what was deleted is left out here."""
    found = await call.ingress.searching.answering.answer(call.tenant_id, call.body)
    if not found.hits:
        return json_answer(200, found)
    deleted = await call.orm.run(queries.deleted_versions, [hit.document_id for hit in found.hits])
    return json_answer(200, without_deleted(found, deleted))


def without_deleted(found: SearchResults, deleted: Mapping[str, int]) -> SearchResults:
    """The results without the hits whose version, or a newer one, was deleted. Facets count them until they are removed."""
    hits = tuple([hit for hit in found.hits if hit.version > deleted.get(hit.document_id, 0)])
    hidden = len(found.hits) - len(hits)
    return found.model_copy(update={"hits": hits, "total": found.total - hidden}) if hidden else found


async def suggest(call: Call[Empty, SuggestQuery]) -> Answer:
    query, filters, ingress = call.query, filters_of(call.query), call.ingress
    found = await ingress.search.complete(call.tenant_id, query.q, filters, limit=query.limit)
    titled = [one.document_id for one in found if one.document_id is not None]
    deleted = await call.orm.run(queries.deleted_documents, titled) if titled else frozenset()
    suggestions = tuple(
        Suggestion(text=one.text, document_id=one.document_id, documents=one.documents)
        for one in found
        if one.document_id not in deleted
    )
    better = None
    if not suggestions:
        better = await ingress.searching.answering.better_spelling(call.tenant_id, query.q, filters)
    return json_answer(200, Suggestions(suggestions=suggestions, did_you_mean=better))


async def count_facets(call: Call[Empty, FacetQuery]) -> Answer:
    query = call.query
    counting = SearchQuery(
        text=query.q,
        filters=filters_of(query),
        facets=_fields(query.fields),
        facet_limit=query.facet_limit,
        period=query.period,
        synonyms=query.synonyms,
        correct=False,
        widen=False,
        highlight=False,
        limit=0,
    )
    found = await call.ingress.searching.answering.answer(call.tenant_id, counting)
    return json_answer(200, FacetCounts(total=found.total, facets=found.facets))


def _fields(text: str) -> tuple[FacetField, ...]:
    named = dict.fromkeys(listed(text))
    if not named or not named.keys() <= set(FacetField):
        detail = f"must be of {', '.join(FacetField)}, with commas between"
        raise problems.invalid_query([FieldProblem(pointer="/query/fields", detail=detail)])
    return tuple(map(FacetField, named))
