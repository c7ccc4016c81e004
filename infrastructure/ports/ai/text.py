"""The text provider that the AI jobs call until the pipeline calls models for them."""

from typing import Protocol

from events.ai import (
    Comparison,
    KeyPhrase,
    Language,
    Provider,
    Readability,
    Risk,
    Sentiment,
    SummarySentence,
    TextFacts,
    Writing,
)
from schemas.ai import GenerateDocument


class TextProvider(Protocol):
    """Analyses and generates documents. Every call raises Unavailable when the provider can't be used, and is safe to
    repeat.

    `language` is an ISO 639 code; `und` and unknown ones are allowed and find less.
    """

    reads_as: Provider
    """What a result that was read says of who made it, and how."""
    writes_as: Provider
    measures_as: Provider

    async def language_of(self, text: str) -> Language: ...

    async def facts_in(self, text: str, language: str) -> TextFacts: ...

    async def key_phrases_of(self, text: str, language: str) -> tuple[KeyPhrase, ...]: ...

    async def summary_of(self, text: str, language: str) -> tuple[SummarySentence, ...]: ...

    async def write(self, command: GenerateDocument) -> Writing:
        """Refused when the wording needs a fact that isn't given, or can't be used at all."""
        ...

    async def readability_of(self, text: str, language: str) -> Readability: ...

    async def sentiment_of(self, text: str, language: str) -> Sentiment: ...

    async def risk_in(self, text: str, language: str) -> Risk: ...

    async def comparison_of(self, text: str, reference: str) -> Comparison: ...
