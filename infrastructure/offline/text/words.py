"""Which words a text has, and which of them carry no meaning of their own."""

import re
from collections.abc import Iterator

from infrastructure.offline import lexicons

WORD = re.compile(r"[^\W\d_]+(?:['’‑-][^\W\d_]+)*")

_STOPWORDS = {language: lexicons.words(f"stopwords.{language}") for language in ("en", "de", "fr", "es", "it")}


def words_in(text: str) -> Iterator[re.Match[str]]:
    """Every word with its place; compounds joined by a hyphen or an apostrophe are one."""
    return WORD.finditer(text)


def stopwords(language: str) -> frozenset[str]:
    """The words of this language that carry no meaning of their own, folded; empty for a language without a list."""
    return _STOPWORDS.get(language, frozenset())


def content_words(text: str, language: str) -> list[str]:
    """The words that carry meaning, folded, in order. Without a list for the language, short words are left out."""
    common = stopwords(language)
    folded = (match.group().casefold() for match in words_in(text))
    return [word for word in folded if len(word) > 2 and (word not in common if common else len(word) > 3)]
