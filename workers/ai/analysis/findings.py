"""What a model said of a text, or of its parts, kept where the text has the passages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from events.ai import (
    CategoryFit,
    Classification,
    Comparison,
    CriterionScore,
    Feeling,
    Quote,
    Risk,
    RiskTerm,
    Scoring,
    Sentiment,
    SentimentWord,
)
from infrastructure.offline.analysis.sentiment import WORDS_SHOWN, feeling_of
from infrastructure.offline.text.sentences import sentences_in
from infrastructure.ports.ai.reading import MAX_PASSAGES, SaidRisks, SaidSentiment
from schemas.ai import Analysis
from workers.ai.analysis.differences import Differences, compared
from workers.ai.quoting import Passages

TERMS_SHOWN = 100
LEAST_FIT = 0.2
"""Below it a category doesn't fit."""
MAX_WHY_CHARACTERS = 500
PARAGRAPH_CHARACTERS = 3_000


@dataclass(frozen=True, slots=True)
class AnalyzedPart:
    """An answer about a part of the text, and the part of the reference that it was compared with."""

    offset: int
    text: str = field(repr=False)
    value: Mapping[str, Any] = field(repr=False)
    reference_offset: int = 0
    reference: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Findings:
    """None for what wasn't asked."""

    sentiment: Sentiment | None = None
    risk: Risk | None = None
    comparison: Comparison | None = None
    classification: Classification | None = None
    scoring: Scoring | None = None


def findings_in(parts: Sequence[AnalyzedPart], asked: Sequence[Analysis]) -> Findings:
    """For a child process: each passage is looked for in its text."""
    return Findings(
        sentiment=_sentiment(parts) if Analysis.SENTIMENT in asked else None,
        risk=_risk(parts) if Analysis.RISK_TERMS in asked else None,
        comparison=_comparison(parts) if Analysis.COMPARISON in asked else None,
        classification=_classification(parts) if Analysis.CLASSIFICATION in asked else None,
        scoring=_scoring(parts) if Analysis.SCORING in asked else None,
    )


def _sentiment(parts: Sequence[AnalyzedPart]) -> Sentiment:
    words: list[SentimentWord] = []
    counts: Counter[Feeling] = Counter()
    supported = False
    for part in parts:
        said = SaidSentiment.model_validate(part.value[Analysis.SENTIMENT])
        supported |= said.supported
        counts[Feeling.POSITIVE] += said.further_positive
        counts[Feeling.NEGATIVE] += said.further_negative
        found = Passages(part.text).in_order(iter([one.quote for one in said.passages]))
        for one, quote in zip(said.passages, found, strict=True):
            if quote is not None and one.feeling is not Feeling.NEUTRAL:
                counts[one.feeling] += 1
                words.append(
                    SentimentWord(
                        text=quote.text, offset=quote.offset + part.offset, feeling=one.feeling, negated=one.negated
                    )
                )
    positive, negative = counts[Feeling.POSITIVE], counts[Feeling.NEGATIVE]
    balance = round((positive - negative) / (positive + negative), 2) if positive + negative else 0.0
    return Sentiment(
        feeling=feeling_of(balance),
        balance=balance,
        positive=positive,
        negative=negative,
        words=tuple(words[:WORDS_SHOWN]),
        supported=supported,
    )


def _risk(parts: Sequence[AnalyzedPart]) -> Risk:
    terms: list[RiskTerm] = []
    counts: Counter[str] = Counter()
    supported = False
    for part in parts:
        said = SaidRisks.model_validate(part.value[Analysis.RISK_TERMS])
        supported |= said.supported
        for further in said.further:
            counts[further.category] += further.count
        found = Passages(part.text).in_order(iter([one.quote for one in said.terms]))
        for one, quote in zip(said.terms, found, strict=True):
            if quote is None:
                continue
            sentence = _sentence_around(part.text, quote)
            counts[one.category] += 1
            terms.append(
                RiskTerm(
                    text=quote.text,
                    offset=quote.offset + part.offset,
                    category=one.category,
                    severity=one.severity,
                    why=one.why[:MAX_WHY_CHARACTERS],
                    sentence=sentence.model_copy(update={"offset": sentence.offset + part.offset}),
                )
            )
    shown = tuple(terms[:TERMS_SHOWN])
    return Risk(
        terms=shown,
        by_category=dict(counts.most_common()),
        left_out=sum(counts.values()) - len(shown),
        supported=supported,
    )


def _sentence_around(text: str, quote: Quote) -> Quote:
    begin = max(text.rfind("\n\n", 0, quote.offset), quote.offset - PARAGRAPH_CHARACTERS, 0)
    end = text.find("\n\n", quote.offset + len(quote.text))
    end = min(len(text) if end < 0 else end, quote.offset + len(quote.text) + PARAGRAPH_CHARACTERS)
    for sentence in sentences_in(text[begin:end]):
        if begin + sentence.offset <= quote.offset < begin + sentence.end:
            return Quote(text=sentence.text, offset=begin + sentence.offset)
    return quote


def _comparison(parts: Sequence[AnalyzedPart]) -> Comparison:
    return compared(
        Differences(one.value[Analysis.COMPARISON], one.text, one.offset, one.reference, one.reference_offset)
        for one in parts
    )


def _classification(parts: Sequence[AnalyzedPart]) -> Classification:
    """A long text's fit is that of its parts, each by its length."""
    length = sum(len(one.text) for one in parts) or 1
    names = dict.fromkeys(name for one in parts for name in one.value[Analysis.CLASSIFICATION])
    fits = [
        CategoryFit(
            name=name,
            fit=round(sum(_said(one, name)["fit"] * len(one.text) for one in parts) / length, 3),
            passages=_passages([(one, _said(one, name)["quotes"]) for one in parts]),
        )
        for name in names
    ]
    fits.sort(key=lambda one: -one.fit)
    return Classification(best=fits[0].name if fits and fits[0].fit >= LEAST_FIT else None, categories=tuple(fits))


def _said(part: AnalyzedPart, name: str) -> Mapping[str, Any]:
    said: Mapping[str, Any] = part.value[Analysis.CLASSIFICATION][name]
    return said


def _scoring(parts: Sequence[AnalyzedPart]) -> Scoring:
    """A criterion is met as well as by the part that meets it best."""
    names = dict.fromkeys(name for one in parts for name in one.value[Analysis.SCORING])
    return Scoring(criteria=tuple(_score(parts, name) for name in names))


def _score(parts: Sequence[AnalyzedPart], name: str) -> CriterionScore:
    said = [(one, one.value[Analysis.SCORING][name]) for one in parts]
    best = max(said, key=lambda pair: pair[1]["score"])[1]
    passages = _passages([(one, that["quotes"]) for one, that in said])
    return CriterionScore(
        name=name, score=round(best["score"], 3), why=best["why"][:MAX_WHY_CHARACTERS], passages=passages
    )


def _passages(said: Sequence[tuple[AnalyzedPart, Sequence[str]]]) -> tuple[Quote, ...]:
    found = [
        quote.model_copy(update={"offset": quote.offset + part.offset})
        for part, quotes in said
        for quote in map(Passages(part.text).find, quotes)
        if quote is not None
    ]
    return tuple({one.offset: one for one in found}.values())[:MAX_PASSAGES]
