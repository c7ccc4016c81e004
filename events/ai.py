"""Events of the AI queue. Each result names its provider and method, so that rules aren't mistaken for a model."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from events.envelope import Commands, DomainEvent
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument, Tone, WritingLanguage
from schemas.model import Model

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class Method(StrEnum):
    EXTRACTIVE = "extractive"
    """Chosen from the text word for word, by statistics and rules. Nothing is written anew."""
    TEMPLATE = "template"
    """A template's wording, filled with the given facts."""
    RULES = "rules"
    """Counted, and matched against lists that are part of the product."""


class Provider(Model):
    """Who did the work, and how."""

    name: str
    method: Method


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


class TextFacts(Model):
    """What rules find in a text, in the order of the text."""

    size: Size
    dates: tuple[DateMention, ...]
    amounts: tuple[Amount, ...]
    parties: tuple[Party, ...]
    defined_terms: tuple[DefinedTerm, ...]
    left_out: LeftOut


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


class GeneratedSection(Model):
    heading: str
    text: str


class Writing(Model):
    """A filled template."""

    sections: tuple[GeneratedSection, ...]
    unused_facts: tuple[str, ...]
    tone_applied: bool


class DocumentGenerated(DomainEvent):
    """A document was generated. It doesn't mean that it was stored anywhere except in this job's result."""

    type: ClassVar[str] = "ai.document_generated"
    result_of: ClassVar[Commands] = (GenerateDocument,)

    title: str
    document_id: str | None
    provider: Provider
    language: WritingLanguage
    tone: Tone | None
    """Null when the template has one wording only, so that the tone asked for changed nothing."""
    document: str
    """The whole, as Markdown."""
    sections: tuple[GeneratedSection, ...]
    unused_facts: tuple[str, ...]
    """Given facts that the wording never mentions."""


class Readability(Model):
    words: Count
    sentences: Count
    words_per_sentence: float
    syllables_per_word: float
    formula: str | None
    """The formula used for this language; null where none is known, and then there is no score."""
    score: float | None
    """Reading ease: about 0 (very hard) to 100 (very easy)."""
    longest_sentences: tuple[Quote, ...]


class Feeling(StrEnum):
    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class SentimentWord(Quote):
    feeling: Feeling
    negated: bool
    """A word such as "not" just before turned it round; `feeling` is what is left."""


class Sentiment(Model):
    """The balance of loaded words. It knows no irony and no context beyond a negation."""

    feeling: Feeling
    balance: Annotated[float, Field(ge=-1.0, le=1.0)]
    """(positive − negative) / (positive + negative); 0 where there are none."""
    positive: Count
    negative: Count
    words: tuple[SentimentWord, ...]
    """The first 50."""
    supported: bool
    """False for a language without a word list; then nothing was counted."""


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RiskTerm(Quote):
    category: str
    severity: Severity
    why: str
    sentence: Quote


class Risk(Model):
    """Wording that a reviewer should look at. A list of words can't tell whether a clause is fair."""

    terms: tuple[RiskTerm, ...]
    """The first 100."""
    by_category: dict[str, Count]
    left_out: Count
    supported: bool
    """False for a language without a list; then nothing was looked for."""


class ChangedPassage(Model):
    before: Quote
    """In the reference."""
    after: Quote
    """In the text."""
    similarity: Fraction


class Comparison(Model):
    """Sentence by sentence against the reference. A sentence that only moved counts as unchanged."""

    similarity: Fraction
    """The share of both texts' sentences that are the same, a changed one counting by its likeness."""
    unchanged: Count
    added: tuple[Quote, ...]
    removed: tuple[Quote, ...]
    """Offsets count in the reference."""
    changed: tuple[ChangedPassage, ...]
    left_out: Count
    """Differences beyond the first 100 of a kind."""


class ContentAnalyzed(DomainEvent):
    """A text was analyzed. Analyses that weren't requested are null, which doesn't mean that they found nothing."""

    type: ClassVar[str] = "ai.content_analyzed"
    result_of: ClassVar[Commands] = (AnalyzeContent,)

    document_id: str | None
    provider: Provider
    language: Language
    unread_characters: Count = 0
    """At the end of a stored document's text, or of the longer one of two, that is longer than what one job reads."""
    readability: Readability | None = None
    sentiment: Sentiment | None = None
    risk: Risk | None = None
    comparison: Comparison | None = None
