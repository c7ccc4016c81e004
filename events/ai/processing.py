"""What processing a document ends with."""

from typing import ClassVar

from events.ai.facts import (
    Amount,
    Count,
    DateMention,
    DefinedTerm,
    KeyPhrase,
    Language,
    LeftOut,
    Party,
    Quote,
    Size,
    SummarySentence,
)
from events.ai.provenance import Provenance, Provider
from events.envelope import Commands, DomainEvent
from schemas.ai.processing import ProcessDocument
from schemas.model import FreeJson, Model


class ExtractedValue(Model):
    """One value of an extraction, and where it stands."""

    path: str
    """In the extraction: a JSON pointer (RFC 6901)."""
    quote: Quote
    """The passage that says so, word for word."""


class Extraction(Model):
    """What was extracted for the command's schema."""

    data: FreeJson
    """Meets the schema. A value without a passage that says so isn't in it: it is null, or was left out."""
    values: tuple[ExtractedValue, ...]
    unsupported: tuple[str, ...]
    """Pointers to what a model said and no passage of the text does."""


class DocumentProcessed(DomainEvent):
    """A document was processed; the data has what was found in it. It doesn't mean that this is everything: `left_out` has
    the number of findings beyond the limits."""

    type: ClassVar[str] = "ai.document_processed"
    result_of: ClassVar[Commands] = (ProcessDocument,)

    title: str
    document_id: str | None
    document_type: str | None
    provider: Provider
    language: Language
    size: Size
    unread_characters: Count = 0
    """At the end of a stored document's text that is longer than what one job reads."""
    summary: tuple[SummarySentence, ...]
    key_phrases: tuple[KeyPhrase, ...]
    """Best first. Drawn from the first 6,000 words of a longer text."""
    dates: tuple[DateMention, ...]
    amounts: tuple[Amount, ...]
    parties: tuple[Party, ...]
    defined_terms: tuple[DefinedTerm, ...]
    left_out: LeftOut
    extraction: Extraction | None = None
    """What was found for the command's `json_schema`; null without one. With it nothing else was asked: the lists above are
    empty."""
    provenance: Provenance = Provenance()
