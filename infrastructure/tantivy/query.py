"""Answers one query from one tenant's index."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from tantivy import DocAddress, Document, Order, Query, Searcher, SearchResult

from infrastructure.tantivy.compiler import Looked, all_of, compile_filters, compile_match, every_document
from infrastructure.tantivy.fields import SCHEMA
from infrastructure.tantivy.folder import IndexFolder, tantivy_errors
from infrastructure.tantivy.snippets import Snippets
from schemas.search import (
    FURTHEST_OFFSET,
    Facet,
    FacetField,
    FacetValue,
    Filters,
    Hit,
    SearchQuery,
    SearchResults,
    Sort,
)


def search(folder: IndexFolder, query: SearchQuery) -> SearchResults:
    """What the index, as it was committed last, answers."""
    searcher = folder.searcher()
    with tantivy_errors(folder.path):
        return _search(searcher, query)


def _search(searcher: Searcher, query: SearchQuery) -> SearchResults:
    matched, looked = (every_document(), Looked()) if query.match is None else compile_match(query.match, searcher)
    total, found = _find(searcher, all_of([matched, *compile_filters(query.filters)]), query)
    after = query.offset + len(found)
    return SearchResults(
        total=total,
        hits=tuple(_hits(searcher, found, looked, query)),
        facets=tuple(_facet(searcher, matched, field, query) for field in query.facets),
        next_offset=after if found and after < total and after <= FURTHEST_OFFSET else None,
    )


Found = Sequence[tuple[float | None, DocAddress]]


def _find(searcher: Searcher, wanted: Query, query: SearchQuery) -> tuple[int, Found]:
    limit = max(query.limit, 1)  # Tantivy panics at 0.
    sort = query.sort or (Sort.RELEVANCE if query.match else Sort.NEWEST)
    if sort is Sort.RELEVANCE:
        result = searcher.search(wanted, limit, offset=query.offset)
        found: Found = result.hits
    else:
        order = Order.Desc if sort is Sort.NEWEST else Order.Asc
        result = searcher.search(wanted, limit, offset=query.offset, order_by_field="created_at", order=order)
        found = [(None, address) for _, address in result.hits]
    return _total(result), found[: query.limit]


def _total(result: SearchResult) -> int:
    return int(result.count)  # type: ignore[attr-defined]  # tantivy's stubs lack it


def _hits(searcher: Searcher, found: Found, looked: Looked, query: SearchQuery) -> Iterator[Hit]:
    documents = [(score, searcher.doc(address)) for score, address in found]
    ids = [_text(document, "id") for _, document in documents]
    snippets = Snippets(searcher, looked, ids, query.snippet_characters) if query.highlight else None
    for score, document in documents:
        language = document.get_first("language")
        yield Hit(
            document_id=_text(document, "id"),
            score=score,
            title=_text(document, "title"),
            snippet=snippets and snippets.of(_text(document, "body"), language),
            document_type=_text(document, "document_type"),
            industry=document.get_first("industry"),
            language=language,
            tags=tuple(document.get_all("tags")),
            created_at=document.get_first("created_at"),
            version=document.get_first("version"),
        )


def _text(document: Document, name: str) -> str:
    return str(document.get_first(name))


def _facet(searcher: Searcher, matched: Query, field: FacetField, query: SearchQuery) -> Facet:
    """Counts under every filter but the field's own; a value the user has chosen is listed even when it has no hit."""
    counted = all_of([matched, *compile_filters(query.filters, but=field)])
    terms = {"field": field.value, "size": query.facet_limit}
    answer = searcher.aggregate(counted, {"values": {"terms": terms}})["values"]
    listed = {bucket["key"]: bucket["doc_count"] for bucket in answer["buckets"]}
    unlisted = {
        value: _count(searcher, counted, field, value) for value in _chosen(query.filters, field) - listed.keys()
    }
    ranked = sorted((listed | unlisted).items(), key=lambda value: (-value[1], value[0]))
    return Facet(
        field=field,
        values=tuple(FacetValue(value=value, count=count) for value, count in ranked),
        others=answer["sum_other_doc_count"] - sum(unlisted.values()),
    )


def _chosen(filters: Filters, field: FacetField) -> set[str]:
    match field:
        case FacetField.DOCUMENT_TYPE:
            return set(filters.document_types)
        case FacetField.INDUSTRY:
            return set(filters.industries)
        case _:
            assert_never(field)


def _count(searcher: Searcher, counted: Query, field: FacetField, value: str) -> int:
    return _total(searcher.search(all_of([counted, Query.term_query(SCHEMA, field.value, value)]), 1))
