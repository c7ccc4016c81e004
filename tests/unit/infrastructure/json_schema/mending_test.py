"""JSON as models write it, and what is put right without asking again."""

from typing import Any

import pytest

from infrastructure.json_schema.mending import Unreadable, mended, read_json

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"rent": {"type": "number"}, "note": {"type": ["string", "null"]}, "name": {"type": "string"}},
    "required": ["rent", "note"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "text",
    [
        '{"rent": 5, "names": ["a", "b"]}',
        '```json\n{"rent": 5, "names": ["a", "b"]}\n```',
        'Here it is:\n{"rent": 5, "names": ["a", "b"]}',
        '{"rent": 5, "names": ["a", "b",]}',
        "{'rent': 5, 'names': ['a', 'b']}",
        '{"rent": 5, "names": ["a", "b"',
    ],
)
def test_json_is_read_in_whatever_dress_it_comes(text: str) -> None:
    assert read_json(text) == {"rent": 5, "names": ["a", "b"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I'm sorry, I can't do that.",
        "[" * 5_000,
        '{"a": ' * 5_000,
        "{," * 500_000,
        "\x00",
        '{"a": 1e999}',
        '{"a": 1' + "0" * 100 + "}",
    ],
)
def test_what_is_no_json_that_can_be_kept_is_unreadable_and_never_hangs(text: str) -> None:
    with pytest.raises(Unreadable):
        read_json(text)


def test_characters_that_no_store_takes_are_taken_out() -> None:
    assert read_json('{"a\\u0000b": ["c\\ud800d"]}') == {"ab": ["c?d"]}


def test_small_faults_are_put_right_here() -> None:
    value, errors = mended(SCHEMA, {"rent": "1250.50", "mood": "good"})

    assert errors == ()
    assert value == {"rent": 1250.5, "note": None}


@pytest.mark.parametrize(
    ("value", "rule"),
    [({"note": None}, "required"), ({"rent": "a lot", "note": None}, "type"), ({"rent": "NaN", "note": None}, "type")],
)
def test_nothing_is_made_up_to_meet_a_schema(value: dict[str, Any], rule: str) -> None:
    kept, errors = mended(SCHEMA, dict(value))

    assert [error.rule for error in errors] == [rule]
    assert kept == value
