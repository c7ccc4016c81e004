"""Limits of search queries."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.search import MAX_CLAUSES, MAX_LEVELS, MAX_WORDS, IndexDocument, SearchQuery


def leaf(text: str = "word") -> dict[str, Any]:
    return {"op": "all_terms", "text": text}


def nested(levels: int) -> dict[str, Any]:
    match = leaf()
    for _ in range(levels - 1):
        match = {"op": "all_of", "clauses": [match]}
    return match


def test_a_query_survives_the_wire() -> None:
    query = SearchQuery.model_validate(
        {
            "match": {
                "op": "any_of",
                "clauses": [leaf(), {"op": "none_of", "clauses": [{"op": "prefix", "text": "x"}]}],
            },
            "filters": {"tags": ["a"], "created": {"since": "2026-01-01T00:00:00Z"}},
            "facets": ["industry"],
        }
    )

    assert SearchQuery.model_validate_json(query.model_dump_json()) == query


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"match": nested(MAX_LEVELS + 1)}, f"deeper than {MAX_LEVELS} levels"),
        ({"match": nested(100_000)}, f"deeper than {MAX_LEVELS} levels"),
        ({"match": {"op": "any_of", "clauses": [leaf()] * MAX_CLAUSES}}, "more than 64 clauses"),
        ({"match": leaf("a " * (MAX_WORDS + 1))}, "65 words"),
        ({"match": leaf("w" * 301)}, "at most 300"),
        ({"match": leaf("?!")}, "no word"),
        ({"match": {"op": "all_of", "clauses": []}}, "at least one clause"),
        ({"match": {"op": "query_string", "text": "title:*"}}, "query_string"),
        ({"match": {"op": "all_terms", "text": "x", "boost": 9}}, "Extra inputs"),
        ({"limit": 101}, "less than or equal to 100"),
        ({"offset": 1_001}, "less than or equal to 1000"),
        ({"facets": ["industry", "industry"]}, "twice"),
        ({"filters": {"created": {"since": "2026-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z"}}}, "earlier"),
        ({"filters": {"created": {"since": "0001-01-01T00:00:00Z"}}}, "1700 and 2200"),
        ({"filters": {"created": {"since": "2026-01-02T00:00:00"}}}, "timezone"),
        ({"filters": {"tags": ["x"] * 51}}, "at most 50"),
    ],
)
def test_what_is_out_of_bounds_is_refused(query: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SearchQuery.model_validate(query)

    assert why in str(refused.value)
    assert refused.value.error_count() == 1


def test_as_much_as_allowed_is_taken() -> None:
    SearchQuery.model_validate({"match": nested(MAX_LEVELS)})
    SearchQuery.model_validate({"match": {"op": "any_of", "clauses": [leaf()] * (MAX_CLAUSES - 1)}})


@pytest.mark.parametrize("document_id", ["", " a", "a b", "a\n", "../up", "ä", "a" * 201])
def test_a_document_id_that_could_be_misread_is_refused(document_id: str) -> None:
    with pytest.raises(ValidationError):
        IndexDocument(document_id=document_id, title="t", text="b", document_type="x")
