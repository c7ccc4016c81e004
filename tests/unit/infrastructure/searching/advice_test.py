"""What a search could be rewritten to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infrastructure.searching.advice import proposals
from schemas.search import Hit, Rule, SearchQuery
from schemas.search.match import check_size

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HIT = Hit(
    document_id="a",
    score=None,
    title="A",
    snippet=None,
    document_type="lease",
    industry=None,
    language=None,
    tags=(),
    created_at=NOON,
    version=1,
)


def proposed(query: dict[str, Any], *hits: Hit) -> dict[Rule, SearchQuery]:
    return {one.rule: one.query for one in proposals(SearchQuery.model_validate(query), hits)}


def words(text: str, **fields: Any) -> dict[str, Any]:
    return {"op": "all_terms", "text": text, **fields}


@pytest.mark.parametrize(
    ("rule", "query", "rewritten"),
    [
        (Rule.EXACT_WORDS, {"match": words("lease", fuzzy=True)}, {"match": words("lease")}),
        (
            Rule.NO_SHORT_BEGINNING,
            {"match": {"op": "prefix", "text": "notice pe"}},
            {"match": words("notice")},
        ),
        (
            Rule.NO_SHORT_BEGINNING,
            {"match": {"op": "all_of", "clauses": [words("notice"), {"op": "prefix", "text": "p"}]}},
            {"match": words("notice")},
        ),
        (
            Rule.FILTERS,
            {
                "match": {
                    "op": "all_of",
                    "clauses": [
                        words("rent"),
                        {"op": "terms", "field": "tags", "values": ["a", "b"]},
                        {"op": "terms", "field": "document_type", "values": ["lease"]},
                        {"op": "range", "field": "created_at", "since": "2026-01-01T00:00:00Z"},
                        {"op": "range", "field": "pages", "below": 9},
                        {"op": "exists", "field": "industry"},
                    ],
                }
            },
            {
                "match": words("rent"),
                "filters": {
                    "any_tags": ["a", "b"],
                    "document_types": ["lease"],
                    "created": {"since": "2026-01-01T00:00:00Z"},
                    "pages": {"below": 9},
                    "has": ["industry"],
                },
                "sort": "relevance",
            },
        ),
        (
            Rule.FILTERS,
            {"match": {"op": "terms", "field": "language", "values": ["de"]}, "sort": "newest"},
            {"filters": {"languages": ["de"]}, "sort": "newest"},
        ),
        (
            Rule.NO_SNIPPETS,
            {"match": words("rent"), "limit": 100},
            {"match": words("rent"), "limit": 100, "highlight": False},
        ),
        (
            Rule.SHORTER_PERIOD,
            {"offset": 500, "filters": {"created": {"since": "2020-01-01T00:00:00Z"}}},
            {"filters": {"created": {"since": "2020-01-01T00:00:00Z", "before": NOON + timedelta(microseconds=1)}}},
        ),
        (
            Rule.SHORTER_PERIOD,
            {"offset": 500, "sort": "oldest"},
            {"filters": {"created": {"since": NOON}}, "sort": "oldest"},
        ),
        (
            Rule.NO_DUPLICATES,
            {"match": {"op": "any_of", "clauses": [words("a"), words("b"), words("a")]}},
            {"match": {"op": "any_of", "clauses": [words("a"), words("b")]}},
        ),
        (
            Rule.NO_DUPLICATES,
            {"match": {"op": "all_of", "clauses": [words("a"), words("a")]}},
            {"match": words("a")},
        ),
    ],
)
def test_a_rule_rewrites(rule: Rule, query: dict[str, Any], rewritten: dict[str, Any]) -> None:
    found = proposed(query, HIT)

    assert found[rule] == SearchQuery.model_validate(rewritten)
    check_size(found[rule].match)


@pytest.mark.parametrize(
    ("rule", "query"),
    [
        (Rule.EXACT_WORDS, {"match": words("lease")}),
        (Rule.NO_SHORT_BEGINNING, {"match": {"op": "prefix", "text": "p"}}),
        (Rule.NO_SHORT_BEGINNING, {"match": {"op": "prefix", "text": "notice per"}}),
        (
            Rule.NO_SHORT_BEGINNING,
            {"match": {"op": "all_of", "clauses": [{"op": "prefix", "text": "p"}, {"op": "exists", "field": "tags"}]}},
        ),
        (
            Rule.FILTERS,
            {
                "match": {"op": "terms", "field": "tags", "values": ["a"]},
                "facets": ["tags"],
            },
        ),
        (
            Rule.FILTERS,
            {"match": {"op": "terms", "field": "tags", "values": ["a"]}, "filters": {"any_tags": ["b"]}},
        ),
        (Rule.FILTERS, {"match": {"op": "any_of", "clauses": [{"op": "terms", "field": "tags", "values": ["a"]}]}}),
        (Rule.NO_SNIPPETS, {"match": words("rent"), "limit": 10}),
        (Rule.SHORTER_PERIOD, {"offset": 500, "match": words("rent")}),
        (Rule.SHORTER_PERIOD, {"offset": 100}),
        (Rule.NO_DUPLICATES, {"match": {"op": "all_of", "clauses": [words("a"), words("b")]}}),
    ],
)
def test_a_rule_leaves_alone_what_it_doesnt_fit(rule: Rule, query: dict[str, Any]) -> None:
    assert rule not in proposed(query, HIT)
