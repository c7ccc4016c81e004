"""How much of a description's words does the text have?

A word of the description counts by how often the text has it, up to a few times, so that a subject counts for more than a
mention. Passages are the sentences with the most of those words.
"""

import math
from collections import Counter
from dataclasses import dataclass

from infrastructure.offline.text.sentences import Sentence, sentences_in
from infrastructure.offline.text.word_weights import stem
from infrastructure.offline.text.words import content_words

MAX_PASSAGES = 3
LONGEST_PASSAGE_CHARACTERS = 600
ENOUGH_MENTIONS = 4
WORDS_NAMED = 8


@dataclass(frozen=True, slots=True)
class Met:
    share: float
    """Of the description's words, each by its mentions: 0 to 1."""
    passages: tuple[str, ...]
    why: str


class Described:
    """A text that descriptions are held against."""

    def __init__(self, text: str, language: str) -> None:
        self._language = language
        self._sentences: list[tuple[Sentence, frozenset[str]]] = []
        self._counts: Counter[str] = Counter()
        for sentence in sentences_in(text):
            stems = [stem(word) for word in content_words(sentence.text, language)]
            self._counts.update(stems)
            self._sentences.append((sentence, frozenset(stems)))

    def meets(self, description: str) -> Met:
        wanted = list(dict.fromkeys(stem(word) for word in content_words(description, self._language)))
        if not wanted:
            return Met(0.0, (), "the description has no words to look for")
        found = [word for word in wanted if self._counts[word]]
        share = sum(self._mentioned(word) for word in found) / len(wanted)
        named = f": {', '.join(found[:WORDS_NAMED])}" if found else ""
        return Met(
            round(min(share, 1.0), 3),
            self._passages(frozenset(found)),
            f"{len(found)} of the description's {len(wanted)} words stand in the text{named}",
        )

    def _mentioned(self, word: str) -> float:
        return min(math.log1p(self._counts[word]) / math.log1p(ENOUGH_MENTIONS), 1.0)

    def _passages(self, words: frozenset[str]) -> tuple[str, ...]:
        """In the order of the text."""
        with_words = [
            (len(stems & words), place)
            for place, (sentence, stems) in enumerate(self._sentences)
            if stems & words and len(sentence.text) <= LONGEST_PASSAGE_CHARACTERS
        ]
        best = sorted(with_words, key=lambda one: (-one[0], one[1]))[:MAX_PASSAGES]
        return tuple(self._sentences[place][0].text for _, place in sorted(best, key=lambda one: one[1]))
