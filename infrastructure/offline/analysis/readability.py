"""How hard does the text read?

Syllables are counted at the places where a dictionary would hyphenate, which misses a few short ones. The formulas are
the published fittings of Flesch's reading ease to each language, so scores compare within a language only.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

from pyphen import Pyphen  # type: ignore[import-untyped]  # It ships no types.

from events.ai import Quote, Readability
from infrastructure.offline.text.sentences import Sentence
from infrastructure.offline.text.words import words_in

LONGEST_SHOWN = 5
LONGEST_WORD_CHARACTERS = 60
HARD_SENTENCE_WORDS = 25


@dataclass(frozen=True, slots=True)
class _Formula:
    name: str
    dictionary: str
    base: float
    per_sentence_word: float
    per_word_syllable: float


_FORMULAS = {
    "en": _Formula("Flesch (1948)", "en_US", 206.835, 1.015, 84.6),
    "de": _Formula("Amstad (1978)", "de_DE", 180.0, 1.0, 58.5),
    "fr": _Formula("Kandel and Moles (1958)", "fr", 207.0, 1.015, 73.6),
    "es": _Formula("Fernández Huerta (1959)", "es", 206.84, 1.02, 60.0),
    "it": _Formula("Franchina and Vacca (1972)", "it_IT", 217.0, 1.3, 60.0),
    "nl": _Formula("Douma (1960)", "nl_NL", 206.84, 0.93, 77.0),
}


def readability_of(prose: tuple[Sentence, ...], language: str) -> Readability:
    """The counts, the score where the language has a formula, and the longest sentences above 25 words."""
    words_by_sentence = [[match.group() for match in words_in(sentence.text)] for sentence in prose]
    counted = [words for words in words_by_sentence if words]
    total = sum(len(words) for words in counted)
    formula = _FORMULAS.get(language)
    per_sentence = total / len(counted) if counted else 0.0
    dictionary = (formula or _FORMULAS["en"]).dictionary
    syllables = sum(_syllables(dictionary, word) for words in counted for word in words)
    per_word = syllables / total if total else 0.0
    return Readability(
        words=total,
        sentences=len(counted),
        words_per_sentence=round(per_sentence, 1),
        syllables_per_word=round(per_word, 2),
        formula=formula.name if formula else None,
        score=_score(formula, per_sentence, per_word) if formula and total else None,
        longest_sentences=_longest(prose, words_by_sentence),
    )


def _score(formula: _Formula, per_sentence: float, per_word: float) -> float:
    return round(formula.base - formula.per_sentence_word * per_sentence - formula.per_word_syllable * per_word, 1)


def _longest(prose: tuple[Sentence, ...], words: list[list[str]]) -> tuple[Quote, ...]:
    hard = [(len(found), sentence) for sentence, found in zip(prose, words, strict=True)]
    ranked = sorted(hard, key=lambda pair: -pair[0])[:LONGEST_SHOWN]
    return tuple(Quote(text=sentence.text, offset=sentence.offset) for n, sentence in ranked if n > HARD_SENTENCE_WORDS)


@lru_cache(maxsize=20_000)
def _syllables(dictionary: str, word: str) -> int:
    return len(_hyphenation(dictionary).positions(word[:LONGEST_WORD_CHARACTERS].casefold())) + 1


@cache
def _hyphenation(dictionary: str) -> Pyphen:
    return Pyphen(lang=dictionary)
