"""Compiles a query of ours into one of Tantivy's. The user's text only ever becomes words: none of it is parsed as a
query language."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from tantivy import FieldType, Occur, Query, Searcher

from infrastructure.tantivy.fields import SCHEMA, STEMMED, folded, stemming, stems_field
from infrastructure.tantivy.spelling import one_typo_away
from schemas.search import AllOf, AllTerms, AnyOf, FacetField, Filters, Match, NoneOf, Phrase, Prefix

TITLE_BOOST = 2.0
STEM_BOOST = 0.5
TYPO_BOOST = 0.4
PREFIX_SCORE = 0.2
MAX_TYPOS = 20
MAX_COMPLETIONS = 20
MAX_LANGUAGES = 20


@dataclass(slots=True)
class Looked:
    """What a query looks for, so that snippets can show it."""

    words: set[str] = field(default_factory=set)
    beginnings: set[str] = field(default_factory=set)


def compile_match(match: Match, searcher: Searcher) -> tuple[Query, Looked]:
    """The query, and what of it a snippet marks."""
    compiler = _Compiler(searcher)
    return compiler.compile(match), compiler.looked


def compile_filters(filters: Filters, *, but: FacetField | None = None) -> Iterator[Query]:
    """One query for each filter; none of them changes a score. `but` leaves out the filter of that field."""
    if filters.document_types and but is not FacetField.DOCUMENT_TYPE:
        yield _unscored(_one_of("document_type", filters.document_types))
    if filters.industries and but is not FacetField.INDUSTRY:
        yield _unscored(_one_of("industry", filters.industries))
    if filters.languages:
        yield _unscored(_one_of("language", filters.languages))
    for tag in filters.tags:
        yield _unscored(Query.term_query(SCHEMA, "tags", tag))
    if filters.created and (filters.created.since or filters.created.before):
        since, before = filters.created.since, filters.created.before
        # Tantivy refuses to leave out an end that isn't there.
        period = Query.range_query(SCHEMA, "created_at", FieldType.Date, since, before, include_upper=before is None)
        yield _unscored(period)


def all_of(queries: Iterable[Query]) -> Query:
    """Matches what all of them match; every document when there is none."""
    clauses = [(Occur.Must, query) for query in queries]
    return Query.boolean_query(clauses) if clauses else every_document()


def every_document() -> Query:
    """All but what is remembered of deleted ones, which has no time."""
    return Query.exists_query("created_at")


class _Compiler:
    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._folded = folded()
        present = searcher.terms_with_prefix("language", "", limit=MAX_LANGUAGES)
        self._stemmers = {language: stemming(language) for language, _ in present if language in STEMMED}
        self._unmarked = False
        self.looked = Looked()

    def compile(self, match: Match) -> Query:
        match match:
            case AllTerms(text=text, fuzzy=fuzzy):
                return self._all_terms(self._words(text), fuzzy=fuzzy)
            case Phrase(text=text, slop=slop):
                return self._phrase(self._words(text), slop)
            case Prefix(text=text):
                return self._prefix(self._words(text))
            case AllOf(clauses=clauses):
                return all_of(self.compile(clause) for clause in clauses)
            case AnyOf(clauses=clauses):
                return _any_of([self.compile(clause) for clause in clauses])
            case NoneOf(clauses=clauses):
                return self._none_of(clauses)
            case _:
                assert_never(match)

    def _words(self, text: str) -> list[str]:
        words = self._folded.analyze(text)
        self._mark(words)
        return words

    def _mark(self, words: Iterable[str]) -> None:
        if not self._unmarked:
            self.looked.words.update(words)

    def _all_terms(self, words: Sequence[str], *, fuzzy: bool) -> Query:
        if not words:
            return Query.empty_query()
        return all_of(self._fuzzy(word) if fuzzy else self._word(word) for word in words)

    def _word(self, word: str) -> Query:
        return _any_of([*_written(word), *self._stems(word)])

    def _stems(self, word: str) -> Iterator[Query]:
        for language, stemmer in self._stemmers.items():
            for stem in stemmer.analyze(word):
                yield Query.boost_query(Query.term_query(SCHEMA, stems_field(language), stem, "freq"), STEM_BOOST)

    def _fuzzy(self, word: str) -> Query:
        # Tantivy's own fuzzy query gives every hit the same score and marks nothing in a snippet; words that are really
        # there have both.
        found = [(self._frequency(typo), typo) for typo in one_typo_away(word)]
        typos = [typo for frequency, typo in sorted(found, reverse=True)[:MAX_TYPOS] if frequency]
        self._mark(typos)
        close = [Query.boost_query(query, TYPO_BOOST) for typo in typos for query in _written(typo)]
        return _any_of([self._word(word), *close])

    def _frequency(self, word: str) -> int:
        return self._searcher.doc_freq("title", word) + self._searcher.doc_freq("body", word)

    def _phrase(self, words: Sequence[str], slop: int) -> Query:
        if not words:
            return Query.empty_query()
        if len(words) == 1:  # A phrase of one word makes Tantivy panic.
            return _any_of([*_written(words[0])])
        phrases = {name: Query.phrase_query(SCHEMA, name, list(words), slop) for name in ("title", "body")}
        return _any_of([Query.boost_query(phrases["title"], TITLE_BOOST), phrases["body"]])

    def _prefix(self, words: Sequence[str]) -> Query:
        if not words:
            return Query.empty_query()
        *whole, beginning = words
        if not self._unmarked:
            self.looked.beginnings.add(beginning)
        return all_of([*map(self._word, whole), self._beginning(beginning)])

    def _beginning(self, beginning: str) -> Query:
        # The prefix queries find every completion but can't tell one from another; the commonest ones also score.
        found = [
            Query.boost_query(Query.fuzzy_term_query(SCHEMA, name, beginning, distance=0, prefix=True), PREFIX_SCORE)
            for name in ("title", "body")
        ]
        common = self._searcher.terms_with_prefix("body", beginning, limit=MAX_COMPLETIONS)
        return _any_of([*found, *(query for word, _ in common for query in _written(word))])

    def _none_of(self, clauses: Sequence[Match]) -> Query:
        outer, self._unmarked = self._unmarked, True
        excluded = [(Occur.MustNot, self.compile(clause)) for clause in clauses]
        self._unmarked = outer
        return _unscored(Query.boolean_query([(Occur.Must, every_document()), *excluded]))


def _written(word: str) -> Iterator[Query]:
    """The word as it is written, which in a title counts for more."""
    yield Query.boost_query(Query.term_query(SCHEMA, "title", word), TITLE_BOOST)
    yield Query.term_query(SCHEMA, "body", word)


def _any_of(queries: Sequence[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])


def _one_of(name: str, values: Sequence[str]) -> Query:
    return Query.term_set_query(SCHEMA, name, list(values))


def _unscored(query: Query) -> Query:
    return Query.const_score_query(query, 0.0)
