"""What is found in a text, each with its place."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.model import Model

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class Quote(Model):
    """A passage of the given text, unchanged: `text` is what stands at `offset`."""

    text: str
    offset: Count
    """In Unicode code points from the start of the text."""


class LanguageSource(StrEnum):
    GIVEN = "given"
    DETECTED = "detected"


class Language(Model):
    code: str
    """ISO 639, or `und` where the text is too short or too mixed to tell."""
    confidence: Fraction
    source: LanguageSource


class Size(Model):
    characters: Count
    words: Count
    sentences: Count


class KeyPhrase(Quote):
    """A phrase that stands out in the text, where it occurs first outside a heading in capitals."""

    relevance: Fraction
    """By rank: 1 for the best phrase of this text, and less by equal steps. Not comparable between texts."""
    occurrences: Annotated[int, Field(ge=1)]


class SummarySentence(Quote):
    """One of the sentences that say most about the whole, in the text's own order."""

    score: Fraction


class DateMention(Quote):
    iso: str | None
    """ISO 8601: a day (2026-03-14), or a month (2026-03) where the text names no day.

    Null where the text leaves it open, such as 04/05/2026.
    """


class Amount(Quote):
    value: Decimal
    """The full amount as a decimal string: `$3.5 million` is 3500000."""
    currency: str
    """ISO 4217."""
    currency_certain: bool
    """False where the sign stands for several currencies, such as `$`, and the likeliest was taken."""


class Party(Quote):
    """A company, or a person in a defined role; `offset` is the first mention."""

    name: str
    """On one line, however the text breaks it."""
    legal_form: str | None
    role: str | None
    """As the text defines or labels it: Supplier, Landlord, Auftraggeber."""
    mentions: Annotated[int, Field(ge=1)]


class DefinedTerm(Quote):
    """A word the text gives a meaning of its own; `text` is the word."""

    definition: Quote | None
    """What follows "means". Null for a name given in brackets, as in `Acme Ltd (the "Supplier")`."""


class LeftOut(Model):
    """How many more were found than the result has room for."""

    dates: Count = 0
    amounts: Count = 0
    parties: Count = 0
    defined_terms: Count = 0
