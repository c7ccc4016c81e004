"""The peer on tantivy-py: on the product's own index, so that both read the same files."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from tantivy import Document, FieldType, Index, Occur, Query, Searcher, SnippetGenerator, TextAnalyzer

from infrastructure.ports.search import IndexedDocument
from infrastructure.tantivy.fields import SCHEMA, fields_of, microseconds, to_index
from infrastructure.tantivy.words import register_analyzers, stemming
from tests.benchmarks.searching.bare import Answer, Prepared
from tests.benchmarks.searching.corpus import AT_ONCE, LANGUAGES
from tests.benchmarks.searching.questions import HITS, SNIPPET_CHARACTERS, Question

STORED = (
    *("id", "version", "title", "document_type", "industry", "language", "media_type"),
    *("created_at", "updated_at", "characters", "pages"),
)
COUNTED = {
    "document_type": "document_type",
    "industry": "industry",
    "language": "language_alone",
    "tags": "tags",
    "media_type": "media_type",
    "created_at": "created_month",
}
MOST_MONTHS, MOST_VALUES = 400, 10


class BareTantivy:
    def __init__(self, index: Path, folder: Path, callers: int) -> None:
        self._searcher = _open(index).searcher()
        self._stemmers = {language: stemming(language) for language in LANGUAGES}
        self._threads = ThreadPoolExecutor(callers, "bare")
        self._folder = folder
        self._growing = _new(folder)
        self._writer = self._growing.writer()

    async def page(self, question: Question) -> Answer:
        return _page(self._searcher, self._stemmers, question)

    async def page_beside_others(self, question: Question) -> Answer:
        work = partial(_page, self._searcher, self._stemmers, question)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def prepare(self, documents: Sequence[IndexedDocument]) -> Prepared:
        # The fields are the same as the product's, and are thought of before the clock runs.
        return [(one.document_id, to_index(fields_of(one), 1).to_dict()) for one in documents]

    async def add(self, prepared: Prepared) -> None:
        for start in range(0, len(prepared), AT_ONCE):
            for document_id, fields in prepared[start : start + AT_ONCE]:
                self._writer.delete_documents_by_term("id", document_id)
                self._writer.add_document(Document.from_dict(fields, SCHEMA))
            self._writer.commit()
        self._growing.reload()

    async def build(self, prepared: Prepared) -> None:
        index = _new(self._folder)
        writer = index.writer()
        for _, fields in prepared:
            writer.add_document(Document.from_dict(fields, SCHEMA))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()

    def close(self) -> None:
        self._writer.wait_merging_threads()
        self._threads.shutdown()


def _new(folder: Path) -> Index:
    path = folder / uuid4().hex
    path.mkdir(parents=True)
    return _open(path)


def _open(path: Path) -> Index:
    index = Index(SCHEMA, str(path))
    register_analyzers(index)
    index.reload()
    return index


def _page(searcher: Searcher, stemmers: Mapping[str, TextAnalyzer], question: Question) -> Answer:
    words = Query.boolean_query([(Occur.Must, _word(word, stemmers)) for word in question.words])
    filters = dict(_filters(question))
    wanted = _with(words, filters.values())
    found = searcher.search(wanted, HITS, count=True)
    titles = SnippetGenerator.create(searcher, words, SCHEMA, "title")
    bodies = SnippetGenerator.create(searcher, words, SCHEMA, "body")
    bodies.set_max_num_chars(SNIPPET_CHARACTERS)
    return Answer(
        total=found.count,  # type: ignore[attr-defined]  # tantivy's stubs lack it
        hits=[_hit(score, searcher.doc(address), titles, bodies) for score, address in found.hits],
        facets={name: _facet(searcher, words, filters, name, counted) for name, counted in COUNTED.items()},
    )


def _word(word: str, stemmers: Mapping[str, TextAnalyzer]) -> Query:
    queries = [
        Query.boost_query(Query.term_query(SCHEMA, "title", word), 2.0),
        Query.term_query(SCHEMA, "body", word),
    ]
    queries += [
        Query.boost_query(Query.term_query(SCHEMA, f"{field}_{language}", stem, "freq"), 0.5)
        for language, stemmer in stemmers.items()
        for stem in stemmer.analyze(word)
        for field in ("title", "body")
    ]
    return Query.boolean_query([(Occur.Should, query) for query in queries])


def _filters(question: Question) -> Iterator[tuple[str, Query]]:
    for field, values in (
        ("document_type", question.document_types),
        ("industry", question.industries),
        ("language", question.languages),
        ("tags", question.any_tags),
        ("media_type", question.media_types),
    ):
        yield field, Query.term_set_query(SCHEMA, field, list(values))
    yield "tag", Query.term_query(SCHEMA, "tags", question.tag)
    yield "created_at", _range("created_at", first=_time(question.created_since))
    yield "updated_at", _range("updated_at", end=_time(question.updated_before))
    yield "characters", _range("characters", first=question.characters_at_least)
    yield "pages", _range("pages", end=question.pages_below)


def _time(moment: datetime) -> int:
    return microseconds(moment)


def _range(field: str, first: int | None = None, end: int | None = None) -> Query:
    return Query.range_query(SCHEMA, field, FieldType.Integer, first, end, include_upper=end is None)


def _with(words: Query, filters: Any) -> Query:
    narrowing = [(Occur.Must, Query.const_score_query(one, 0.0)) for one in filters]
    return Query.boolean_query([(Occur.Must, words), *narrowing])


def _facet(
    searcher: Searcher, words: Query, filters: Mapping[str, Query], name: str, counted: str
) -> Mapping[Any, int]:
    others = [query for field, query in filters.items() if field != name]
    terms: dict[str, Any] = {"field": counted, "size": MOST_MONTHS if name == "created_at" else MOST_VALUES}
    answer = searcher.aggregate(_with(words, others), {name: {"terms": terms}})
    return {bucket["key"]: bucket["doc_count"] for bucket in answer[name]["buckets"]}


def _hit(score: float, document: Document, titles: SnippetGenerator, bodies: SnippetGenerator) -> dict[str, Any]:
    hit: dict[str, Any] = {name: document.get_first(name) for name in STORED}
    title, body = titles.snippet_from_doc(document), bodies.snippet_from_doc(document)
    return {
        **hit,
        "score": score,
        "tags": document.get_all("tags"),
        "title_marks": [(mark.start, mark.end) for mark in title.highlighted()],
        "snippet": body.fragment(),
        "marks": [(mark.start, mark.end) for mark in body.highlighted()],
    }
