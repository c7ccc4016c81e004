"""The `offline` text provider: each question is answered by its own module, in a processor's child process."""

from events.ai import (
    Comparison,
    KeyPhrase,
    Language,
    LeftOut,
    Method,
    Provider,
    Readability,
    Risk,
    Sentiment,
    Size,
    SummarySentence,
    TextFacts,
    Writing,
)
from infrastructure.offline.analysis.comparison import comparison_of
from infrastructure.offline.analysis.readability import readability_of
from infrastructure.offline.analysis.risk import risk_in
from infrastructure.offline.analysis.sentiment import sentiment_of
from infrastructure.offline.analysis.summary import summary_of
from infrastructure.offline.extraction.amounts import amounts_in
from infrastructure.offline.extraction.dates import dates_in
from infrastructure.offline.extraction.parties import parties_in
from infrastructure.offline.extraction.phrases import phrases_of
from infrastructure.offline.extraction.terms import terms_in
from infrastructure.offline.text import language as languages
from infrastructure.offline.text.sentences import prose_in, sentences_in
from infrastructure.offline.text.words import words_in
from infrastructure.ports import Processors
from schemas.ai import GenerateDocument

NAME = "offline"
MAX_OF_A_KIND = 200
"""Dates, amounts, parties and terms that one result has room for, each."""


class OfflineProvider:
    """Extraction by statistics and rules, and templates: no model, no network, and every result says so."""

    reads_as = Provider(name=NAME, method=Method.EXTRACTIVE)
    writes_as = Provider(name=NAME, method=Method.TEMPLATE)
    measures_as = Provider(name=NAME, method=Method.RULES)

    def __init__(self, processors: Processors) -> None:
        self._processors = processors

    async def language_of(self, text: str) -> Language:
        return await self._processors.run(languages.language_of, text)

    async def facts_in(self, text: str, language: str) -> TextFacts:
        return await self._processors.run(facts_in, text, language)

    async def key_phrases_of(self, text: str, language: str) -> tuple[KeyPhrase, ...]:
        return await self._processors.run(_key_phrases_of, text, language)

    async def summary_of(self, text: str, language: str) -> tuple[SummarySentence, ...]:
        return await self._processors.run(_summary_of, text, language)

    async def write(self, command: GenerateDocument) -> Writing:
        return await self._processors.run(_written, command)

    async def readability_of(self, text: str, language: str) -> Readability:
        return await self._processors.run(_readability_of, text, language)

    async def sentiment_of(self, text: str, language: str) -> Sentiment:
        return await self._processors.run(_sentiment_of, text, language)

    async def risk_in(self, text: str, language: str) -> Risk:
        return await self._processors.run(_risk_in, text, language)

    async def comparison_of(self, text: str, reference: str) -> Comparison:
        return await self._processors.run(_comparison_of, text, reference)


def prepare() -> None:
    """Loads what the first document would otherwise wait for. For each child process, when it starts."""
    languages.identifier()


def facts_in(text: str, language: str) -> TextFacts:
    """What the rules find, in the order of the text, each list cut at 200."""
    dates = dates_in(text, language)
    amounts = amounts_in(text, language)
    terms = terms_in(text)
    parties = parties_in(text, terms)
    return TextFacts(
        size=Size(characters=len(text), words=sum(1 for _ in words_in(text)), sentences=len(prose_in(text))),
        dates=tuple(dates[:MAX_OF_A_KIND]),
        amounts=tuple(amounts[:MAX_OF_A_KIND]),
        parties=tuple(parties[:MAX_OF_A_KIND]),
        defined_terms=tuple(terms[:MAX_OF_A_KIND]),
        left_out=LeftOut(
            dates=_beyond(len(dates)),
            amounts=_beyond(len(amounts)),
            parties=_beyond(len(parties)),
            defined_terms=_beyond(len(terms)),
        ),
    )


def _beyond(count: int) -> int:
    return max(count - MAX_OF_A_KIND, 0)


def _written(command: GenerateDocument) -> Writing:
    # Liquid and Babel are loaded for the first of these, and only in the child process that writes it.
    from infrastructure.offline.generation.writer import write

    return write(command)


def _key_phrases_of(text: str, language: str) -> tuple[KeyPhrase, ...]:
    return phrases_of(text, sentences_in(text), language)


def _summary_of(text: str, language: str) -> tuple[SummarySentence, ...]:
    return summary_of(prose_in(text), language)


def _readability_of(text: str, language: str) -> Readability:
    return readability_of(prose_in(text), language)


def _sentiment_of(text: str, language: str) -> Sentiment:
    return sentiment_of(prose_in(text), language)


def _risk_in(text: str, language: str) -> Risk:
    return risk_in(text, sentences_in(text), language)


def _comparison_of(text: str, reference: str) -> Comparison:
    return comparison_of(sentences_in(text), sentences_in(reference))
