"""An overlay over its base."""

import pytest

from infrastructure.prompts.checks import flaws_in_content
from infrastructure.prompts.differences import changes_between
from infrastructure.prompts.overlays import whole
from schemas.ai.prompts import PromptContent

BASE = PromptContent.model_validate(
    {
        "system": "For {{ firm }}.",
        "sections": [
            {"key": "a", "heading": "A", "instruction": "Say {{ what }}."},
            {"heading": "Unnamed", "instruction": "Stays."},
            {"key": "b", "heading": "B", "instruction": "Say b."},
        ],
        "variables": {"firm": {}, "what": {}},
        "max_output_tokens": 500,
    }
)


def _overlay(**content: object) -> PromptContent:
    return PromptContent.model_validate(content)


def _headings(content: PromptContent) -> list[str]:
    return [section.heading for section in content.sections or ()]


def test_what_it_doesnt_say_is_its_bases() -> None:
    merged = whole(BASE, _overlay(system="Other for {{ firm }}.", variables={"what": {"type": "list"}}))

    assert merged.system == "Other for {{ firm }}."
    assert (merged.max_output_tokens, _headings(merged)) == (500, ["A", "Unnamed", "B"])
    assert {name: one.type for name, one in merged.variables.items()} == {"firm": "text", "what": "list"}


def test_sections_go_by_their_keys() -> None:
    sections = [
        {"key": "b", "heading": "New B", "instruction": "x"},
        {"key": "c", "heading": "C", "instruction": "x", "after": "a"},
        {"heading": "Last", "instruction": "x"},
    ]

    merged = whole(BASE, _overlay(sections=sections))
    without = whole(BASE, _overlay(without=["a"]))

    assert _headings(merged) == ["A", "C", "Unnamed", "New B", "Last"]
    assert _headings(without) == ["Unnamed", "B"]


def test_an_outline_takes_the_place_of_sections_and_sections_of_an_outline() -> None:
    outlined = whole(BASE, _overlay(outline="Plan it for {{ firm }}."))

    assert (outlined.outline, outlined.sections) == ("Plan it for {{ firm }}.", None)
    assert whole(outlined, _overlay(sections=[{"heading": "S", "instruction": "x"}])).outline is None


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        ({"without": ["zz"]}, ["/without/0"]),
        ({"sections": [{"heading": "S", "instruction": "x", "after": "zz"}]}, ["/sections/0/after"]),
        ({"system": "{{ nobody }} {{ firm }}"}, ["/system"]),
        ({"system": "{{ firm }}", "variables": {"new": {}}}, ["/variables/new"]),
        ({"without": ["a"], "variables": {"what": {}}}, ["/variables/what"]),
        ({"without": ["a"]}, []),
    ],
)
def test_an_overlay_is_checked_with_its_base(content: dict[str, object], pointers: list[str]) -> None:
    assert [flaw.pointer for flaw in flaws_in_content(_overlay(**content), BASE)] == pointers


def test_what_stands_alone_says_how_it_is_written() -> None:
    assert [flaw.pointer for flaw in flaws_in_content(_overlay(system="x", without=["a"]), None)] == [
        "/sections",
        "/without",
    ]


def test_an_added_section_changes_no_other() -> None:
    changed = whole(BASE, _overlay(sections=[{"key": "c", "heading": "C", "instruction": "x", "after": "a"}]))

    pointers = [change.pointer for change in changes_between(BASE, changed)]

    assert [one for one in pointers if one.startswith(("/sections/a", "/sections/b"))] == []
    assert {"/sections/c/heading", "/sections/c/instruction", "/sections"} <= set(pointers)
