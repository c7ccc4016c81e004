"""Compiles a query of ours into Elasticsearch's own. The user's text only ever becomes words in a JSON value: none of it is
parsed as a query language, and no query names an index, a script or another document."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from infrastructure.elasticsearch.fields import WRITTEN, stems_field
from infrastructure.elasticsearch.querying.filters import any_value, exists, within
from schemas.search import (
    AllOf,
    AllTerms,
    AnyOf,
    Exists,
    Match,
    NoneOf,
    Phrase,
    Prefix,
    Range,
    Terms,
    TextField,
)
from schemas.search.text import WORD

Query = dict[str, Any]

TITLE_BOOST: Final = 2.0
STEM_BOOST: Final = 0.5
TYPO_BOOST: Final = 0.4
PREFIX_SCORE: Final = 0.2
SHORTEST_MISTYPED, LONGEST_MISTYPED = 4, 24
MAX_TYPOS: Final = 20
MAX_COMPLETIONS: Final = 20
LONGEST_WORD_BYTES: Final = 60
EVERYTHING: Final[Query] = {"match_all": {}}
NOTHING: Final[Query] = {"match_none": {}}

_FIELDS: Final = {TextField.ANYWHERE: WRITTEN, TextField.TITLE: ("title",), TextField.TEXT: ("body",)}


def compile_match(match: Match, languages: Sequence[str]) -> Query:
    """The query. `languages` are those that the tenant's documents have stems of."""
    return _Compiler(languages).compile(match)


def words_of(text: str) -> list[str]:
    """As the index tells words apart. Folding them is left to its analyzers."""
    return [
        word for word in WORD.findall(unicodedata.normalize("NFC", text)) if len(word.encode()) <= LONGEST_WORD_BYTES
    ]


class _Compiler:
    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = languages

    def compile(self, match: Match) -> Query:
        match match:
            case AllTerms(text=text, fuzzy=fuzzy, field=field, weight=weight):
                word = self._mistyped if fuzzy else self._word
                return _weighted(_all_words([word(one, _FIELDS[field]) for one in words_of(text)]), weight)
            case Phrase(text=text, slop=slop, field=field, weight=weight):
                return _weighted(self._phrase(text, slop, _FIELDS[field]), weight)
            case Prefix(text=text, field=field, weight=weight):
                return _weighted(self._prefix(words_of(text), _FIELDS[field]), weight)
            case Terms(field=keyword, values=values):
                return _unscored(any_value(keyword.value, values))
            case Range():
                return _unscored(within(match))
            case Exists(field=keyword):
                return _unscored(exists(keyword.value))
            case AllOf(clauses=clauses):
                return all_of(self.compile(clause) for clause in clauses)
            case AnyOf(clauses=clauses):
                return any_of([self.compile(clause) for clause in clauses])
            case NoneOf(clauses=clauses):
                return {"bool": {"must_not": [self.compile(clause) for clause in clauses]}}
            case _:
                assert_never(match)

    def _word(self, word: str, fields: Sequence[str]) -> Query:
        return any_of([*_written(word, fields), *self._stems(word, fields)])

    def _stems(self, word: str, fields: Sequence[str]) -> Iterable[Query]:
        for language in self._languages:
            for field in fields:
                yield {"match": {stems_field(field, language): {"query": word, "boost": STEM_BOOST}}}

    def _mistyped(self, word: str, fields: Sequence[str]) -> Query:
        if not SHORTEST_MISTYPED <= len(word) <= LONGEST_MISTYPED:
            return self._word(word, fields)
        close = [
            {"match": {field: {"query": word, "fuzziness": 1, "max_expansions": MAX_TYPOS, "boost": TYPO_BOOST * _boost(field)}}}
            for field in fields
        ]  # fmt: skip
        return any_of([self._word(word, fields), *close])

    def _phrase(self, text: str, slop: int, fields: Sequence[str]) -> Query:
        words = words_of(text)
        if not words:
            return NOTHING
        said = " ".join(words)
        return any_of(
            [{"match_phrase": {field: {"query": said, "slop": slop, "boost": _boost(field)}}} for field in fields]
        )

    def _prefix(self, words: Sequence[str], fields: Sequence[str]) -> Query:
        if not words:
            return NOTHING
        *whole, beginning = words
        return all_of([*(self._word(word, fields) for word in whole), _beginning(beginning, fields)])


def all_of(queries: Iterable[Query]) -> Query:
    """Matches what all of them match; everything when there is none."""
    clauses = list(queries)
    return {"bool": {"must": clauses}} if clauses else EVERYTHING


def _all_words(words: Sequence[Query]) -> Query:
    return {"bool": {"must": list(words)}} if words else NOTHING


def _written(word: str, fields: Sequence[str]) -> Iterable[Query]:
    """The word as it is written, which in a title counts for more."""
    return [{"match": {field: {"query": word, "boost": _boost(field)}}} for field in fields]


def _beginning(beginning: str, fields: Sequence[str]) -> Query:
    # The first finds every completion but can't tell one from another; the commonest ones also score.
    found = [{"match_bool_prefix": {field: {"query": beginning, "boost": PREFIX_SCORE}}} for field in fields]
    scored = [
        {"match_phrase_prefix": {field: {"query": beginning, "max_expansions": MAX_COMPLETIONS, "boost": _boost(field)}}}
        for field in fields
    ]  # fmt: skip
    return any_of([*found, *scored])


def _boost(field: str) -> float:
    return TITLE_BOOST if field == "title" else 1.0


def any_of(queries: Sequence[Query]) -> Query:
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}


def _weighted(query: Query, weight: float) -> Query:
    return query if weight == 1.0 else {"bool": {"must": [query], "boost": weight}}


def _unscored(query: Query) -> Query:
    return {"bool": {"filter": [query]}}
