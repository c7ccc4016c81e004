"""Analyses of a text by a model, several in one call."""

import json
from typing import Any

import pytest

from events.ai import Feeling, Method, Severity
from tests.integration.ai.reading.readers import LEASE, Reader

pytestmark = pytest.mark.anyio
RISKS: dict[str, Any] = {
    "terms": [
        {"quote": "keeps the roof in repair", "category": "guarantee", "severity": "high", "why": "It may cost a lot."},
        {"quote": "unlimited liability", "category": "unlimited_liability", "severity": "high", "why": "Made up."},
    ],
    "further": [],
    "supported": True,
}
FITS: dict[str, Any] = {
    "lease": {"fit": 0.9, "quotes": ["This Lease is made", "no such words"]},
    "invoice": {"fit": 0.1, "quotes": []},
}


async def test_all_analyses_of_a_text_share_a_call_and_name_passages_that_it_has(reader: Reader) -> None:
    sentiment = {
        "passages": [{"quote": "in repair", "feeling": "positive", "negated": False}],
        "further_positive": 0,
        "further_negative": 0,
        "supported": True,
    }
    scores = {"clarity": {"score": 0.7, "why": "Short sentences.", "quotes": ["The rent is EUR 1,250.00 a month."]}}
    reader.answers(
        json.dumps(
            {"language": "en", "sentiment": sentiment, "risk_terms": RISKS, "classification": FITS, "scoring": scores}
        )
    )
    result = await reader.analyze(
        analyses=["readability", "sentiment", "risk_terms", "classification", "scoring"],
        categories=[{"name": "lease", "description": "A lease."}, {"name": "invoice", "description": "An invoice."}],
        criteria=[{"name": "clarity", "description": "Easy to read."}],
    )

    assert len(reader.asked()) == 1
    assert result.readability is not None
    assert result.sentiment is not None
    assert (result.sentiment.feeling, result.sentiment.positive) == (Feeling.POSITIVE, 1)
    assert result.risk is not None
    (risk,) = result.risk.terms
    assert (risk.severity, risk.sentence.text) == (Severity.HIGH, "The landlord keeps the roof in repair.")
    assert result.classification is not None
    assert result.classification.best == "lease"
    assert [one.text for one in result.classification.categories[0].passages] == ["This Lease is made"]
    assert result.scoring is not None
    (score,) = result.scoring.criteria
    assert (score.score, LEASE[score.passages[0].offset :][:8]) == (0.7, "The rent")
    assert (result.provider.name, result.provider.method) == ("openai", Method.MODEL)
    assert result.provenance.cost_usd == reader.simulator.charged(reader.key)


async def test_a_comparison_quotes_each_text_and_counts_what_is_the_same_itself(reader: Reader) -> None:
    reference = LEASE.replace("1,250.00", "1,100.00")
    change = {"before": "The rent is EUR 1,100.00 a month.", "after": "The rent is EUR 1,250.00 a month."}
    said = {"added": ["A garage is added."], "removed": [], "changed": [change], "further": 0}
    reader.answers(json.dumps({"language": "en", "comparison": said}))
    result = await reader.analyze(analyses=["comparison"], reference=reference)

    assert result.comparison is not None
    (changed,) = result.comparison.changed
    assert reference[changed.before.offset :].startswith(changed.before.text)
    assert LEASE[changed.after.offset :].startswith(changed.after.text)
    assert result.comparison.added == ()
    assert result.comparison.unchanged == 3
    assert 0.5 < result.comparison.similarity < 1


async def test_what_is_only_measured_calls_no_model(reader: Reader) -> None:
    result = await reader.analyze(analyses=["readability"])

    assert reader.asked() == []
    assert (result.provider.method, result.provenance.calls) == (Method.RULES, 0)
