"""Values against schemas from anybody."""

import time
from typing import Any

import pytest

from infrastructure.json_schema.validation import SchemaUnusable, check_schema, errors_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "day": {"type": "string", "format": "date"}},
    "required": ["name"],
    "additionalProperties": False,
}


def test_each_error_says_where_what_and_which_rule() -> None:
    errors = errors_of(SCHEMA, {"day": "soon", "age": 5})

    assert {(error.path, error.rule) for error in errors} == {
        ((), "required"),
        ((), "additionalProperties"),
        (("day",), "format"),
    }
    assert {name for error in errors for name in error.names} == {"name", "age"}


def test_a_pattern_that_would_take_ages_elsewhere_takes_no_time() -> None:
    began = time.perf_counter()
    errors = errors_of({"type": "string", "pattern": "^(a+)+$"}, "a" * 50_000 + "!")

    assert [error.rule for error in errors] == ["pattern"]
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"a": {"type": "strin"}}}, ("properties", "a", "type")),
        ({"properties": {"a": {"pattern": "("}}}, ("properties", "a", "pattern")),
        ({"properties": {"a": {"pattern": "(?=b)a"}}}, ("properties", "a", "pattern")),
        ({"properties": {"a": {"pattern": "(((a{100}){100}){100})"}}}, ("properties", "a", "pattern")),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place_at_fault(schema: dict[str, Any], path: tuple[str, ...]) -> None:
    with pytest.raises(SchemaUnusable) as unusable:
        check_schema(schema)

    assert unusable.value.path == path


def test_nothing_is_fetched_for_a_reference_to_elsewhere() -> None:
    with pytest.raises(SchemaUnusable):
        check_schema({"$ref": "http://127.0.0.1:9/schema.json"})
