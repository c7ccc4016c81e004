"""Which language is it?"""

from functools import cache
from itertools import islice
from typing import Any

from events.ai import Language, LanguageSource
from infrastructure.offline.text.words import words_in

UNDETERMINED = "und"
READ_CHARACTERS = 10_000
FEWEST_WORDS = 3
LEAST_CONFIDENCE = 0.5


def language_of(text: str) -> Language:
    """The language most of the text's beginning is in, or `und` when that would be a guess."""
    beginning = text[:READ_CHARACTERS]
    if sum(1 for _ in islice(words_in(beginning), FEWEST_WORDS)) < FEWEST_WORDS:
        return Language(code=UNDETERMINED, confidence=0.0, source=LanguageSource.DETECTED)
    code, confidence = identifier().classify(beginning)
    confidence = round(min(max(float(confidence), 0.0), 1.0), 3)
    return Language(
        code=code if confidence >= LEAST_CONFIDENCE else UNDETERMINED,
        confidence=confidence,
        source=LanguageSource.DETECTED,
    )


@cache
def identifier() -> Any:
    """The model, read once a process: unpacking it costs about a second."""
    # Imported here, in the child process that uses it: the worker itself needs neither it nor numpy.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]  # It ships no types.

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
