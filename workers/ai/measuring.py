"""What is measured in a text, whichever model is asked about it: its language, its size, how hard it reads."""

from typing import NamedTuple

from events.ai import Language, LanguageSource, Readability, Size
from infrastructure.offline.analysis.readability import readability_of
from infrastructure.offline.text import language as languages
from infrastructure.offline.text.sentences import prose_in
from infrastructure.offline.text.words import words_in


class Measured(NamedTuple):
    language: Language
    size: Size


def measured(text: str, given_language: str | None) -> Measured:
    """For a child process: a long text takes a second."""
    size = Size(characters=len(text), words=sum(1 for _ in words_in(text)), sentences=len(prose_in(text)))
    return Measured(language_of(text, given_language), size)


def language_of(text: str, given: str | None) -> Language:
    """The one the caller gave, or else the one that is detected."""
    if given is None:
        return languages.language_of(text)
    return Language(code=given.partition("-")[0], confidence=1.0, source=LanguageSource.GIVEN)


def measured_readability(text: str, language: str) -> Readability:
    return readability_of(prose_in(text), language)
