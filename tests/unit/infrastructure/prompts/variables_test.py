"""Values against the variables that a prompt declares, and what golden tests expect."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import ValidationError

from infrastructure.ports import Refused
from infrastructure.prompts.expectations import unmet
from infrastructure.prompts.rendering import rendered
from infrastructure.prompts.shipped import shipped
from infrastructure.prompts.variables import flaws_in
from schemas.ai.golden_tests import GoldenTest
from schemas.ai.prompts import PromptContent

CONTENT = PromptContent.model_validate(
    {
        "outline": "{{ client.name }} {{ fee }} {{ since }} {{ items }} {{ urgent }} {{ note }}",
        "variables": {
            "client": {"type": "object"},
            "fee": {"type": "number"},
            "since": {"type": "date", "required": False},
            "items": {"type": "list", "required": False},
            "urgent": {"type": "boolean", "required": False, "default": False},
            "note": {"required": False, "default": "none"},
        },
    }
)
FITTING: dict[str, Any] = {"client": {"name": "Marlow"}, "fee": "12.50"}


@pytest.mark.parametrize(
    ("values", "pointers"),
    [
        ({}, []),
        ({"fee": None}, ["/fee"]),
        ({"fee": "a lot"}, ["/fee"]),
        ({"fee": True}, ["/fee"]),
        ({"fee": 12}, []),
        ({"since": "14 March"}, ["/since"]),
        ({"since": "2026-03-14", "items": ["a"]}, []),
        ({"items": "a"}, ["/items"]),
        ({"urgent": "yes"}, ["/urgent"]),
        ({"client": "Marlow"}, ["/client"]),
        ({"nobody": 1}, ["/nobody"]),
        ({"title": "T", "language": "de", "tone": "plain"}, []),
        ({"language": "fr"}, ["/language"]),
    ],
)
def test_what_doesnt_fit_is_named(values: dict[str, Any], pointers: list[str]) -> None:
    assert [flaw.pointer for flaw in flaws_in({**FITTING, **values}, CONTENT)] == pointers


def test_what_is_missing_inside_of_an_object_is_named_when_it_is_filled() -> None:
    with pytest.raises(Refused) as refused:
        rendered(shipped()["mutual_nda"][1], CONTENT, {**FITTING, "client": {}})

    assert [error.pointer for error in refused.value.problem.errors] == [
        "/facts/client/name",
        "/facts/since",
        "/facts/items",
    ]


def test_one_filling_knows_nothing_of_the_one_before() -> None:
    version = shipped()["mutual_nda"][1]
    whole: dict[str, Any] = {"client": {"name": "Marlow"}, "fee": 1, "since": "2026-03-14", "items": ["a"]}
    with pytest.raises(Refused):
        rendered(version, CONTENT, FITTING)

    first = rendered(version, CONTENT, whole).prompt.outline
    second = rendered(version, CONTENT, {**whole, "fee": 2}).prompt.outline

    assert (first, second) == ("Marlow 1 2026-03-14 a false none", "Marlow 2 2026-03-14 a false none")
    with pytest.raises(Refused):
        rendered(version, CONTENT, FITTING)


def test_fillings_at_the_same_time_dont_meet() -> None:
    version, content = (
        shipped()["mutual_nda"][1],
        PromptContent.model_validate(
            {"outline": "{% for one in items %}{{ one }}{% endfor %}", "variables": {"items": {"type": "list"}}}
        ),
    )

    with ThreadPoolExecutor(4) as pool:
        outlines = pool.map(
            lambda number: rendered(version, content, {"items": [str(number)] * 500}).prompt.outline, range(40)
        )

        assert list(outlines) == [str(number) * 500 for number in range(40)]


@pytest.mark.parametrize(
    "variable",
    [{"default": "x"}, {"required": False, "type": "number", "default": "x"}],
)
def test_a_default_is_for_what_may_be_missing_and_of_its_type(variable: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="default"):
        PromptContent.model_validate({"outline": "{{ a }}", "variables": {"a": variable}})


def test_a_name_that_every_template_is_given_isnt_declared() -> None:
    with pytest.raises(ValidationError, match="is given to every template"):
        PromptContent.model_validate({"outline": "{{ title }}", "variables": {"title": {}}})


def test_expectations_dont_depend_on_case_and_line_breaks() -> None:
    test = GoldenTest(contains=("Marlow Ltd", "never"), lacks=("as an  AI",), max_characters=40)

    assert unmet(test, "To MARLOW\nLtd, never mind.") == ()
    assert unmet(test, "As an AI I can't. " * 3) == (
        "it lacks 'Marlow Ltd'",
        "it lacks 'never'",
        "it has 'as an  AI'",
        "it has 54 characters; 40 are allowed",
    )
