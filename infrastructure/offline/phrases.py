"""Which phrases stand out in this text?

YAKE scores them by the text's own statistics: how often, how early, how widely and in how varied a company a word
occurs. It is given whole words only, one sentence to a line, so that no pattern of its own sees the raw text. Its
`DataCore` is used and not its `KeywordExtractor`, which on an error logs the beginning of the text and finds nothing.
"""

import re
from collections.abc import Iterator

from yake import DataCore  # type: ignore[import-untyped]  # It ships no types.

from events.ai import KeyPhrase
from infrastructure.offline.sentences import Sentence
from infrastructure.offline.words import stopwords, words_in

READ_WORDS = 6_000
LONGEST_WORD_CHARACTERS = 40
LONGEST_PHRASE_WORDS = 3
MOST_PHRASES = 15
MOST_LOOKED_AT = 400


def phrases_of(text: str, sentences: tuple[Sentence, ...], language: str) -> tuple[KeyPhrase, ...]:
    """Up to 15 phrases of one to three words, best first, each with its first place in the text."""
    core = DataCore(
        text="\n\n".join(_clean(sentences)),
        stopword_set=set(stopwords(language)),
        config={"windows_size": 1, "n": LONGEST_PHRASE_WORDS},
    )
    core.build_single_terms_features()
    core.build_mult_terms_features()
    valid = [candidate for candidate in core.candidates.values() if candidate.is_valid()]
    ranked = sorted((max(float(candidate.h), 0.0), str(candidate.kw)) for candidate in valid)
    return tuple(_distinct(text, ranked[:MOST_LOOKED_AT]))


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


def _distinct(text: str, ranked: list[tuple[float, str]]) -> Iterator[KeyPhrase]:
    """Without those whose words are all in a better one, or that say a better one and more."""
    taken: list[frozenset[str]] = []
    for score, phrase in ranked:
        words = frozenset(_stem(word) for word in phrase.casefold().split())
        if any(words <= other or other <= words for other in taken):
            continue
        places = _places(text, phrase)
        if not places:
            continue
        first = places[0]
        taken.append(words)
        yield KeyPhrase(
            text=first.group(), offset=first.start(), relevance=round(1.0 / (1.0 + score), 3), occurrences=len(places)
        )
        if len(taken) == MOST_PHRASES:
            return


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") else word


def _places(text: str, phrase: str) -> list[re.Match[str]]:
    words = r"[ \u00a0\n]{1,2}".join(re.escape(word) for word in phrase.split())
    return list(re.finditer(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE))
