"""Compares what was written with what a golden test expects."""

from schemas.ai.golden_tests import GoldenTest

MAX_NAMED_CHARACTERS = 80
MAX_REASONS = 20


def unmet(test: GoldenTest, written: str) -> tuple[str, ...]:
    """Why it isn't passed, a sentence each; empty if it is. Phrases are looked for whatever their case, and whatever blanks are
    between their words."""
    text = _plain(written)
    reasons = [f"it lacks {_named(phrase)}" for phrase in test.contains if _plain(phrase) not in text]
    reasons += [f"it has {_named(phrase)}" for phrase in test.lacks if _plain(phrase) in text]
    if test.max_characters is not None and len(written) > test.max_characters:
        reasons.append(f"it has {len(written):,} characters; {test.max_characters:,} are allowed")
    return tuple(reasons[:MAX_REASONS])


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _named(phrase: str) -> str:
    return repr(phrase if len(phrase) <= MAX_NAMED_CHARACTERS else f"{phrase[:MAX_NAMED_CHARACTERS]}…")
