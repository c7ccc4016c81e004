"""Widens what is looked for by synonyms, before an engine compiles it.

Only words that must occur are widened. What is in a phrase was quoted because of its exact words, what is excluded would take
more away than was asked for, and the beginning of a word isn't a word yet: these stay as they are.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from schemas.search import MAX_LEVELS, AllOf, AllTerms, AnyOf, Match, Phrase, Synonyms, SynonymSet
from schemas.search.synonyms import MAX_TERM_WORDS
from schemas.search.text import WORD

MAX_ADDED: Final = 64
"""Clauses that synonyms add to a query. Words that were written first get theirs first; of one term, the tenant's own come
before those of the sets, each in the order in which they stand there. The rest is left out."""
SYNONYM_WEIGHT: Final = 0.5
"""Of what was written, and less for a phrase of more words: each of them adds to its score."""
_LEVELS_ADDED: Final = 2

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """Terms by the words that they are a synonym of, folded."""

    finds: Mapping[Words, tuple[Words, ...]] = field(default_factory=dict)
    digest: bytes = b""
    """Another for other synonyms."""


NO_SYNONYMS: Final = Thesaurus()


def thesaurus_of(synonyms: Synonyms) -> Thesaurus:
    """The tenant's own first, then those of the sets that it chose, in their order."""
    finds: dict[Words, dict[Words, None]] = {}
    own = [tuple(map(words_of, group.terms)) for group in synonyms.groups]
    rules = [(words_of(rule.term), tuple(map(words_of, rule.finds))) for rule in synonyms.rules]
    _add(finds, own, rules)
    for chosen in synonyms.sets:
        _add(finds, *_shipped(chosen))
    if not finds:
        return NO_SYNONYMS
    frozen = {term: tuple(found) for term, found in finds.items()}
    return Thesaurus(frozen, sha256(repr(frozen).encode()).digest())


def words_of(text: str) -> Words:
    """Without regard to case and accents."""
    return tuple(_folded(word) for word in WORD.findall(text))


def widened(match: Match, thesaurus: Thesaurus) -> Match:
    """Also finds synonyms. The tree has at most MAX_ADDED clauses more, and is no deeper than one that could be sent."""
    return _Widening(thesaurus).widen(match, 1) if thesaurus.finds else match


class _Widening:
    def __init__(self, thesaurus: Thesaurus) -> None:
        self._finds = thesaurus.finds
        self._left = MAX_ADDED

    def widen(self, match: Match, level: int) -> Match:
        match match:
            case AllTerms() if level + _LEVELS_ADDED <= MAX_LEVELS:
                return self._words(match)
            case AllOf(clauses=clauses) | AnyOf(clauses=clauses):
                return match.model_copy(update={"clauses": tuple(self.widen(one, level + 1) for one in clauses)})
            case _:
                return match

    def _words(self, clause: AllTerms) -> Match:
        alternatives, rest = [], []
        self._left -= _LEVELS_ADDED  # What holds the alternatives together, and the words that have none.
        for written, found in _terms(clause.text, self._finds):
            if found and self._left >= _LEVELS_ADDED + 1:
                taken = found[: self._left - _LEVELS_ADDED]
                self._left -= _LEVELS_ADDED + len(taken)
                alternatives.append(_any_of(clause, written, taken))
            else:
                rest.append(written)
        if not alternatives:
            self._left += _LEVELS_ADDED
            return clause
        others = [clause.model_copy(update={"text": " ".join(rest)})] if rest else []
        return alternatives[0] if len(alternatives) == 1 and not others else AllOf(clauses=(*alternatives, *others))


def _terms(text: str, finds: Mapping[Words, tuple[Words, ...]]) -> Iterator[tuple[str, tuple[Words, ...]]]:
    """The text from its start, a term at a time, the longest that has synonyms; with these."""
    places = list(WORD.finditer(text))
    folded = [_folded(place.group()) for place in places]
    at = 0
    while at < len(places):
        lengths = range(min(MAX_TERM_WORDS, len(places) - at), 0, -1)
        length = next((one for one in lengths if tuple(folded[at : at + one]) in finds), 1)
        yield text[places[at].start() : places[at + length - 1].end()], finds.get(tuple(folded[at : at + length]), ())
        at += length


def _any_of(clause: AllTerms, written: str, found: Sequence[Words]) -> Match:
    length = len(WORD.findall(written))
    return AnyOf(
        clauses=(clause.model_copy(update={"text": written}), *(_synonym(clause, one, length) for one in found))
    )


def _synonym(clause: AllTerms, words: Words, written: int) -> Match:
    weight = clause.weight * SYNONYM_WEIGHT * min(1.0, written / len(words))
    if len(words) == 1:
        return AllTerms(text=words[0], field=clause.field, weight=weight)
    return Phrase(text=" ".join(words), field=clause.field, weight=weight)


def _add(
    finds: dict[Words, dict[Words, None]],
    groups: Iterable[Sequence[Words]],
    rules: Iterable[tuple[Words, Sequence[Words]]],
) -> None:
    both_ways = [(term, group) for group in groups for term in group]
    for term, others in (*both_ways, *rules):
        found = finds.setdefault(term, {})
        found.update((other, None) for other in others if other != term)
        if not found:
            del finds[term]


@cache
def _shipped(chosen: SynonymSet) -> tuple[Sequence[Sequence[Words]], Sequence[tuple[Words, Sequence[Words]]]]:
    groups, rules = [], []
    text = files("infrastructure.searching").joinpath("synonym_sets", f"{chosen}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            term, one_way, terms = line.rpartition("=>")
            listed = tuple(words_of(one) for one in terms.split(","))
            if one_way:
                rules.append((words_of(term), listed))
            else:
                groups.append(listed)
    return groups, rules


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    folded = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return folded if WORD.search(folded) else word
