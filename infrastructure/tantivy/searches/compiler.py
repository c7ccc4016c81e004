"""Compiles a query of ours into one of Tantivy's. The user's text only ever becomes words: none of it is parsed as a
query language."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from tantivy import Query, Searcher, TextAnalyzer

from infrastructure.tantivy.fields import SCHEMA, stems_field
from infrastructure.tantivy.searches.filters import (
    all_of,
    any_of,
    compile_exists,
    compile_range,
    compile_terms,
    none_of,
)
from infrastructure.tantivy.searches.typos import one_typo_away
from infrastructure.tantivy.words import STEMMED, stemming, words_of
from schemas.search import AllOf, AllTerms, AnyOf, Exists, Match, NoneOf, Phrase, Prefix, Range, Terms, TextField

TITLE_BOOST: Final = 2.0
STEM_BOOST: Final = 0.5
TYPO_BOOST: Final = 0.4
PREFIX_SCORE: Final = 0.2
MAX_TYPOS: Final = 20
MAX_COMPLETIONS: Final = 20

FIELDS: Final[Mapping[TextField, Sequence[str]]] = {
    TextField.ANYWHERE: ("title", "body"),
    TextField.TITLE: ("title",),
    TextField.TEXT: ("body",),
}
_BOOST: Final = {"title": TITLE_BOOST, "body": 1.0}


@dataclass(slots=True)
class Marked:
    """What is marked in one field."""

    words: set[str] = field(default_factory=set)
    beginnings: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Looked:
    """What a query looks for, so that titles and snippets can show it."""

    title: Marked = field(default_factory=Marked)
    body: Marked = field(default_factory=Marked)

    def of(self, name: str) -> Marked:
        return self.title if name == "title" else self.body


def compile_match(match: Match, searcher: Searcher) -> tuple[Query, Looked]:
    """The query, and what of it is marked."""
    compiler = _Compiler(searcher)
    return compiler.compile(match), compiler.looked


def written(word: str, names: Sequence[str] = FIELDS[TextField.ANYWHERE]) -> Iterator[Query]:
    """The word as it is written, which in a title counts for more."""
    for name in names:
        yield Query.boost_query(Query.term_query(SCHEMA, name, word), _BOOST[name])


def beginning(start: str, name: str) -> Query:
    """Words that begin so, whose score is the same for all."""
    return Query.fuzzy_term_query(SCHEMA, name, start, distance=0, prefix=True)


class _Compiler:
    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._stemmers: dict[str, TextAnalyzer] = {
            language: stemming(language) for language in STEMMED if searcher.doc_freq("language_alone", language)
        }
        self._unmarked = False
        self.looked = Looked()

    def compile(self, match: Match) -> Query:
        match match:
            case AllTerms() | Phrase() | Prefix():
                return self._weighted(match)
            case Terms():
                return compile_terms(match)
            case Range():
                return compile_range(match)
            case Exists():
                return compile_exists(match)
            case AllOf(clauses=clauses):
                return all_of(self.compile(clause) for clause in clauses)
            case AnyOf(clauses=clauses):
                return any_of([self.compile(clause) for clause in clauses])
            case NoneOf(clauses=clauses):
                return self._none_of(clauses)
            case _:
                assert_never(match)

    def _weighted(self, clause: AllTerms | Phrase | Prefix) -> Query:
        words = words_of(clause.text)
        if not words:
            return Query.empty_query()
        query = self._text(clause, words, FIELDS[clause.field])
        return query if clause.weight == 1 else Query.boost_query(query, clause.weight)

    def _text(self, clause: AllTerms | Phrase | Prefix, words: Sequence[str], names: Sequence[str]) -> Query:
        match clause:
            case AllTerms(fuzzy=fuzzy):
                self._mark(words, names)
                return all_of(self._fuzzy(word, names) if fuzzy else self._word(word, names) for word in words)
            case Phrase(slop=slop):
                self._mark(words, names)
                return _phrase(words, slop, names)
            case Prefix():
                return self._prefix(words, names)
            case _:
                assert_never(clause)

    def _mark(self, words: Iterable[str], names: Sequence[str]) -> None:
        if not self._unmarked:
            for name in names:
                self.looked.of(name).words.update(words)

    def _word(self, word: str, names: Sequence[str]) -> Query:
        return any_of([*written(word, names), *self._stems(word, names)])

    def _stems(self, word: str, names: Sequence[str]) -> Iterator[Query]:
        for language, stemmer in self._stemmers.items():
            for stem in stemmer.analyze(word):
                for name in names:
                    query = Query.term_query(SCHEMA, stems_field(name, language), stem, "freq")
                    yield Query.boost_query(query, STEM_BOOST)

    def _fuzzy(self, word: str, names: Sequence[str]) -> Query:
        # Tantivy's own fuzzy query gives every hit the same score and marks nothing in a snippet; words that are really
        # there have both.
        found = [(self._frequency(typo, names), typo) for typo in one_typo_away(word)]
        typos = [typo for frequency, typo in sorted(found, reverse=True)[:MAX_TYPOS] if frequency]
        self._mark(typos, names)
        close = [Query.boost_query(query, TYPO_BOOST) for typo in typos for query in written(typo, names)]
        return any_of([self._word(word, names), *close])

    def _frequency(self, word: str, names: Sequence[str]) -> int:
        return sum(self._searcher.doc_freq(name, word) for name in names)

    def _prefix(self, words: Sequence[str], names: Sequence[str]) -> Query:
        *whole, start = words
        self._mark(whole, names)
        if not self._unmarked:
            for name in names:
                self.looked.of(name).beginnings.add(start)
        return all_of([*(self._word(word, names) for word in whole), self._beginning(start, names)])

    def _beginning(self, start: str, names: Sequence[str]) -> Query:
        # The prefix queries find every completion but can't tell one from another; the commonest ones also score.
        found = [Query.boost_query(beginning(start, name), PREFIX_SCORE) for name in names]
        common = self._searcher.terms_with_prefix(names[-1], start, limit=MAX_COMPLETIONS)
        return any_of([*found, *(query for word, _ in common for query in written(word, names))])

    def _none_of(self, clauses: Sequence[Match]) -> Query:
        outer, self._unmarked = self._unmarked, True
        excluded = [self.compile(clause) for clause in clauses]
        self._unmarked = outer
        return none_of(excluded)


def _phrase(words: Sequence[str], slop: int, names: Sequence[str]) -> Query:
    if len(words) == 1:  # A phrase of one word makes Tantivy panic.
        return any_of(written(words[0], names))
    return any_of(
        Query.boost_query(Query.phrase_query(SCHEMA, name, list(words), slop), _BOOST[name]) for name in names
    )
