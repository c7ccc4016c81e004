"""Reference paths and templates."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.workflow import Path, ResultPath
from workers.workflow.paths import PathNotFound, fill, look_up, put

DATA: JsonValue = {"a": {"b c": [10, {"d": None}]}, "e-f": "x", "n": 0}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DATA),
        ("$.a['b c'][0]", 10),
        ("$.a['b c'][1].d", None),
        ("$.e-f", "x"),
        ("$['n']", 0),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: JsonValue) -> None:
    assert TypeAdapter(Path).validate_python(path) == path
    assert look_up(DATA, path) == value


@pytest.mark.parametrize("path", ["$.x", "$.a.b", "$.a['b c'][2]", "$.e-f[0]", "$.a[0]", "$[0]", "$.n.x"])
def test_a_path_to_nothing_is_named_in_the_error(path: str) -> None:
    with pytest.raises(PathNotFound) as missing:
        look_up(DATA, path)

    assert missing.value.path == path


@pytest.mark.parametrize(
    "path", ["", "a", "$.", "$..a", "$.a.*", "$[*]", "$[-1]", "$[?(@.x)]", "$.a[0:2]", "$$.Execution", "$.a b", "$['']"]
)
def test_a_path_that_is_not_a_reference_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Path).validate_python(path)


def test_a_result_is_put_under_a_name_and_not_into_a_list() -> None:
    with pytest.raises(ValidationError, match="under a name only"):
        TypeAdapter(ResultPath).validate_python("$.list[0]")


def test_a_result_goes_where_its_path_says() -> None:
    assert put(DATA, "$", 1) == 1
    assert put(DATA, None, 1) is DATA
    assert put({"a": 1}, "$.b.c", 2) == {"a": 1, "b": {"c": 2}}
    assert put({"a": {"x": 1}}, "$.a.y", 2) == {"a": {"x": 1, "y": 2}}


@pytest.mark.parametrize("data", ["text", [1], None, {"a": [1]}, {"a": "text"}])
def test_a_result_is_only_put_into_an_object(data: JsonValue) -> None:
    with pytest.raises(PathNotFound):
        put(data, "$.a.b", 1)


@given(data=JSON, value=JSON)
def test_a_value_that_was_put_is_found_there_and_the_argument_is_not_mutated(data: JsonValue, value: JsonValue) -> None:
    before = copy.deepcopy(data)
    if isinstance(data, dict):
        assert look_up(put(data, "$['new name']", value), "$['new name']") == value
    assert data == before


def test_a_template_takes_values_from_paths_at_any_depth() -> None:
    template: JsonValue = {
        "one.$": "$.n",
        "two": {"three.$": "$.a['b c'][0]", "four": "$.n"},
        "five": [{"six.$": "$.e-f"}],
    }

    assert fill(template, DATA, max_bytes=1_000) == {
        "one": 0,
        "two": {"three": 10, "four": "$.n"},
        "five": [{"six": "x"}],
    }


def test_values_are_never_read_as_templates() -> None:
    assert fill({"out.$": "$"}, {"in.$": "$.secret"}, max_bytes=1_000) == {"out": {"in.$": "$.secret"}}
