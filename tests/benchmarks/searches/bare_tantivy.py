"""The same question by hand, of tantivy-py, over the same index: what an engineer writes who needs this page and no other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tantivy import Document, FieldType, Index, Occur, Query, Searcher, SnippetGenerator

from infrastructure.ports.search import IndexedDocument
from infrastructure.tantivy.fields import SCHEMA, fields_of, to_index
from infrastructure.tantivy.generations.changes import WRITER_HEAP_BYTES, open_index
from infrastructure.tantivy.words import stemming, words_of
from tests.benchmarks.searches.corpus import FULL_PAGE, INDUSTRIES, MEDIA_TYPES, TAGS, TYPES

SINCE = 1_643_673_600_000_000
OWN = {
    "document_type": Query.term_set_query(SCHEMA, "document_type", list(TYPES[:6])),
    "industry": Query.term_set_query(SCHEMA, "industry", list(INDUSTRIES[:5])),
    "language_alone": Query.term_set_query(SCHEMA, "language", ["en"]),
    "tags": Query.term_set_query(SCHEMA, "tags", list(TAGS[:30])),
    "media_type": Query.term_set_query(SCHEMA, "media_type", list(MEDIA_TYPES[:3])),
    "created_month": Query.range_query(SCHEMA, "created_at", FieldType.Integer, SINCE, None),
}
"""Filters, by the field whose values are counted without them."""
OTHERS = (
    Query.range_query(SCHEMA, "updated_at", FieldType.Integer, SINCE, None),
    Query.range_query(SCHEMA, "characters", FieldType.Integer, 100, None),
    Query.range_query(SCHEMA, "pages", FieldType.Integer, 1, 200, include_upper=False),
    Query.exists_query("industry"),
)
WRITTEN = (("title", 2.0), ("body", 1.0))
STEMS = (("title_en", 0.5), ("body_en", 0.5))
ENGLISH = stemming("en")


def opened(generation: Path) -> Index:
    return open_index(generation)


def full_page(searcher: Searcher, month: str, text: str) -> dict[str, Any]:
    words = words_of(text)
    looked = Query.boolean_query([(Occur.Must, _word(word)) for word in words])
    filters = [Query.const_score_query(one, 0.0) for one in (*OWN.values(), *OTHERS)]
    found = searcher.search(_all_of([looked, *filters]), FULL_PAGE["limit"])
    snippets = SnippetGenerator.create(searcher, looked, SCHEMA, "body_en")
    snippets.set_max_num_chars(160)
    hits = [_hit(searcher.doc(address), score, snippets) for score, address in found.hits]
    return {
        "total": found.count,  # type: ignore[attr-defined]  # tantivy's stubs lack it
        "hits": hits,
        "facets": [_facet(searcher, looked, name, month) for name in OWN],
    }


def indexed(index: Index, batches: Sequence[Sequence[IndexedDocument]]) -> None:
    """A commit for each batch."""
    writer = index.writer(WRITER_HEAP_BYTES, 1)
    for number, batch in enumerate(batches):
        for document in batch:
            writer.add_document(to_index(fields_of(document), number))
        writer.commit()
    writer.wait_merging_threads()


def _word(word: str) -> Query:
    (stem,) = ENGLISH.analyze(word)
    terms = [*((field, word, boost) for field, boost in WRITTEN), *((field, stem, boost) for field, boost in STEMS)]
    each = [Query.boost_query(Query.term_query(SCHEMA, field, term), boost) for field, term, boost in terms]
    return Query.boolean_query([(Occur.Should, one) for one in each])


def _all_of(queries: Sequence[Query]) -> Query:
    return Query.boolean_query([(Occur.Must, query) for query in queries])


def _hit(document: Document, score: float, snippets: SnippetGenerator) -> dict[str, Any]:
    body = document.get_first("body")
    snippet = snippets.snippet_from_doc(Document.from_dict({"body_en": body}, SCHEMA))
    fields = ("id", "version", "title", "document_type", "industry", "language", "created_at", "updated_at", "pages")
    return {
        "score": score,
        **{name: document.get_first(name) for name in fields},
        "tags": document.get_all("tags"),
        "snippet": snippet.fragment(),
        "marks": [(mark.start, mark.end) for mark in snippet.highlighted()],
    }


def _facet(searcher: Searcher, looked: Query, name: str, month: str) -> Any:
    others = [Query.const_score_query(one, 0.0) for field, one in OWN.items() if field != name]
    counted = _all_of([looked, *others, *(Query.const_score_query(one, 0.0) for one in OTHERS)])
    field, size = (month, 400) if name == "created_month" else (name, 10)
    return searcher.aggregate(counted, {name: {"terms": {"field": field, "size": size}}})
