"""Which phrases stand out in this text?

YAKE scores them by the text's own statistics: how often, how early, how widely and in how varied a company a word
occurs. It is given whole words only, one sentence to a line, so that no pattern of its own sees the raw text. Its
`DataCore` is used and not its `KeywordExtractor`, which on an error logs the beginning of the text and finds nothing.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from events.ai import KeyPhrase
from infrastructure.offline import lists
from infrastructure.offline.amounts import CURRENCY_CODES
from infrastructure.offline.months import MONTHS
from infrastructure.offline.sentences import Sentence
from infrastructure.offline.words import stopwords, words_in

READ_WORDS = 6_000
LONGEST_WORD_CHARACTERS = 40
LONGEST_PHRASE_WORDS = 3
MOST_PHRASES = 15
MOST_LOOKED_AT = 400


def phrases_of(text: str, sentences: tuple[Sentence, ...], language: str) -> tuple[KeyPhrase, ...]:
    """Up to 15 phrases of one to three words, best first, each with its first place in the text.

    YAKE favours rare words, so phrases that the text repeats come first, then names, then others that occur once.
    """
    # Imported here, in the child process that uses it: the worker itself needs neither it nor networkx.
    from yake import DataCore  # type: ignore[import-untyped]  # It ships no types.

    core = DataCore(
        # Without a stop, or after what might be an abbreviation, two lines would be taken for one sentence.
        text="!\n\n".join(_clean(sentences)),
        stopword_set=set(stopwords(language) | _NEVER_AT_AN_EDGE),
        config={"windows_size": 1, "n": LONGEST_PHRASE_WORDS},
    )
    core.build_single_terms_features()
    core.build_mult_terms_features()
    candidates = [
        _Candidate(_rank(c), max(float(c.h), 1e-12), str(c.kw)) for c in core.candidates.values() if c.is_valid()
    ]
    return tuple(_distinct(text, sorted(candidates)[:MOST_LOOKED_AT]))


_NEVER_AT_AN_EDGE = frozenset(MONTHS) | frozenset(code.lower() for code in CURRENCY_CODES)
_MEASURES = lists.words("measures")


class _Candidate(NamedTuple):
    rank: int
    score: float
    """Lower is better."""
    phrase: str


def _rank(candidate: Any) -> int:
    if candidate.tf > 1:
        return 0
    return 1 if all(word[:1].isupper() for word in candidate.kw.split()) else 2


def _clean(sentences: tuple[Sentence, ...]) -> Iterator[str]:
    """Each sentence's words, punctuation kept as the commas that no phrase reaches across."""
    read = 0
    for sentence in sentences:
        parts: list[str] = []
        end = 0
        for match in words_in(sentence.text):
            between = sentence.text[end : match.start()].strip()
            end = match.end()
            if read >= READ_WORDS or len(match.group()) > LONGEST_WORD_CHARACTERS:
                continue
            if parts and between:
                parts.append(",")
            parts.append(match.group())
            read += 1
        if parts:
            yield " ".join(parts).capitalize() if sentence.text.isupper() else " ".join(parts)


def _distinct(text: str, candidates: list[_Candidate]) -> Iterator[KeyPhrase]:
    """Without those whose words are all in a better one, or that say a better one and more."""
    taken: list[frozenset[str]] = []
    for candidate in candidates:
        words = frozenset(_stem(word) for word in candidate.phrase.casefold().split())
        if words <= _MEASURES or any(words <= other or other <= words for other in taken):
            continue
        places = _places(text, candidate.phrase)
        if not places:
            continue
        taken.append(words)
        # A heading in capitals shows a phrase less well than the sentence after it.
        shown = next((place for place in places if not place.group().isupper()), places[0])
        yield KeyPhrase(
            text=shown.group(),
            offset=shown.start(),
            relevance=round(1.0 - (len(taken) - 1) / MOST_PHRASES, 2),
            occurrences=len(places),
        )
        if len(taken) == MOST_PHRASES:
            return


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _places(text: str, phrase: str) -> list[re.Match[str]]:
    words = r"[ \u00a0\n]{1,2}".join(re.escape(word) for word in phrase.split())
    return list(re.finditer(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE))
