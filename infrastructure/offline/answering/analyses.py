"""Analyses of a text, in the form that models are asked for them in: word lists, sentences, and shared words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from events.ai import Feeling
from infrastructure.offline.analysis.comparison import comparison_of
from infrastructure.offline.analysis.description import Described
from infrastructure.offline.analysis.risk import risk_in
from infrastructure.offline.analysis.sentiment import WORDS_SHOWN, sentiment_of
from infrastructure.offline.answering.documents import GivenDocument
from infrastructure.offline.text.sentences import prose_in, sentences_in
from infrastructure.ports.ai.reading import REFERENCE


def analyses_answer(documents: Sequence[GivenDocument], wanted: Mapping[str, Any], language: str) -> dict[str, Any]:
    """One member for each property of the form."""
    text = next((one.text for one in documents if one.id != REFERENCE), "")
    answer: dict[str, Any] = {}
    for name, form in wanted.items():
        match name:
            case "sentiment":
                answer[name] = _sentiment(text, language)
            case "risk_terms":
                answer[name] = _risks(text, language)
            case "comparison":
                answer[name] = _comparison(text, next((one.text for one in documents if one.id == REFERENCE), ""))
            case "classification":
                answer[name] = _by_words(text, form, language, "fit")
            case "scoring":
                answer[name] = _by_words(text, form, language, "score")
            case "language":
                answer[name] = language
    return answer


def _sentiment(text: str, language: str) -> dict[str, Any]:
    found = sentiment_of(prose_in(text), language)
    shown = Counter(one.feeling for one in found.words)
    return {
        "passages": [{"quote": one.text, "feeling": one.feeling, "negated": one.negated} for one in found.words],
        "further_positive": found.positive - shown[Feeling.POSITIVE] if len(found.words) == WORDS_SHOWN else 0,
        "further_negative": found.negative - shown[Feeling.NEGATIVE] if len(found.words) == WORDS_SHOWN else 0,
        "supported": found.supported,
    }


def _risks(text: str, language: str) -> dict[str, Any]:
    found = risk_in(text, sentences_in(text), language)
    shown = Counter(one.category for one in found.terms)
    return {
        "terms": [
            {"quote": one.text, "category": one.category, "severity": one.severity, "why": one.why}
            for one in found.terms
        ],
        "further": [
            {"category": category, "count": count - shown[category]}
            for category, count in found.by_category.items()
            if count > shown[category]
        ],
        "supported": found.supported,
    }


def _comparison(text: str, reference: str) -> dict[str, Any]:
    found = comparison_of(sentences_in(text), sentences_in(reference))
    return {
        "added": [one.text for one in found.added],
        "removed": [one.text for one in found.removed],
        "changed": [{"before": one.before.text, "after": one.after.text} for one in found.changed],
        "further": found.left_out,
    }


def _by_words(text: str, form: Any, language: str, measure: str) -> dict[str, Any]:
    """How much of each description's words the text has."""
    given = form.get("properties") if isinstance(form, Mapping) else None
    descriptions = {
        name: str(one.get("description", "")) if isinstance(one, Mapping) else ""
        for name, one in (given if isinstance(given, Mapping) else {}).items()
    }
    described = Described(text, language)
    answer: dict[str, Any] = {}
    for name, description in descriptions.items():
        met = described.meets(f"{name.replace('_', ' ').replace('-', ' ')}. {description}")
        answer[name] = {measure: met.share, "quotes": list(met.passages)}
        if measure == "score":
            answer[name]["why"] = met.why
    return answer
