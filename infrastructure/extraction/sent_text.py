"""A text that was sent as text: there is nothing in it that a library would have to read."""

from infrastructure.extraction.limits import LANGUAGE_CHARACTERS
from infrastructure.extraction.word_count import count_words
from infrastructure.offline.text.language import language_of
from infrastructure.ports.extraction import DocumentFormat, Extracted


def as_extracted(text: str) -> Extracted:
    """The text, as it is, with its language and counts. Loads the model that tells languages on first use, which takes about
    a second: call it in a thread."""
    return Extracted(
        format=DocumentFormat.TEXT,
        text=text,
        title=None,
        language=language_of(text[:LANGUAGE_CHARACTERS]),
        words=count_words(text),
    )
