"""What analyzing a text ends with."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from events.ai.facts import Count, Fraction, Language, Quote
from events.ai.provenance import Provenance, Provider
from events.envelope import Commands, DomainEvent
from schemas.ai.analysis import AnalyzeContent
from schemas.model import Model


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
    """The balance of what speaks well and ill of its matter. By rules these are loaded words, without irony and without any
    context beyond a negation."""

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
    """Wording that a reviewer should look at. By rules it is a list of phrases, which can't tell whether a clause is fair."""

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


class CategoryFit(Model):
    name: str
    fit: Fraction
    """1 for a text that is certainly of this category."""
    passages: tuple[Quote, ...]
    """Which say so, at most five."""


class Classification(Model):
    """The given categories, the best first. A long text's fit is that of its parts, each by its length."""

    best: str | None
    """Null when none fits."""
    categories: tuple[CategoryFit, ...]


class CriterionScore(Model):
    name: str
    score: Fraction
    why: str
    passages: tuple[Quote, ...]
    """Which the score is from, at most five."""


class Scoring(Model):
    """A long text meets a criterion as well as the part of it that meets it best."""

    criteria: tuple[CriterionScore, ...]


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
    classification: Classification | None = None
    scoring: Scoring | None = None
    provenance: Provenance = Provenance()
