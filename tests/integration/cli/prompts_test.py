"""`bucatini prompts` against the real ingress."""

import json
from pathlib import Path

import pytest

from tests.integration.cli.jobs_test import Terminal
from tests.integration.prompts.shelf import FIRM, LETTER
from tests.integration.serving import World


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Terminal:
    return Terminal(world, world.tenant("ai:read", "ai:write"), tmp_path)


def _file(folder: Path, name: str, thing: object) -> str:
    (folder / name).write_text(json.dumps(thing), encoding="utf-8")
    return str(folder / name)


def test_a_prompt_is_made_changed_compared_filled_moved_and_moved_back(terminal: Terminal, tmp_path: Path) -> None:
    first = _file(tmp_path, "first.json", LETTER)
    second = _file(tmp_path, "second.json", {**LETTER, "system": "Second for {{ firm }}."})
    facts = _file(tmp_path, "facts.json", FIRM)

    made = terminal.type("prompts", "create", "letter", first, "--description", "A letter.")
    assert made.returncode == 0, made.stderr
    assert terminal.type("prompts", "version", "letter", second, "--note", "shorter").stdout.strip() == "2"
    assert "+ Second for {{ firm }}." in terminal.type("prompts", "diff", "letter", "1", "2").stdout
    assert "You write letters for Hale." in terminal.type("prompts", "render", "letter", facts).stdout
    assert "production → 2" in terminal.type("prompts", "label", "letter", "2").stdout
    assert "Second for Hale." in terminal.type("prompts", "render", "letter", facts).stdout
    assert "production → 1" in terminal.type("prompts", "rollback", "letter").stdout
    assert "has pointed nowhere else before" in terminal.type("prompts", "rollback", "letter").stderr
    assert "production → 2=30% 1=70%" in terminal.type("prompts", "label", "letter", "2=30", "1=70").stdout
    listed = terminal.type("prompts", "list").stdout
    assert "letter" in listed
    assert "engagement_letter" in listed
    assert "shorter" in terminal.type("prompts", "versions", "letter").stdout
    assert terminal.type("prompts", "history", "letter").stdout.count("\n") >= 4
    assert (
        json.loads(terminal.type("prompts", "show", "letter", "--version", "2", "-o", "json").stdout)["note"]
        == "shorter"
    )


def test_what_cant_be_done_says_why(terminal: Terminal, tmp_path: Path) -> None:
    undeclared = _file(tmp_path, "undeclared.json", {**LETTER, "system": "For {{ nobody }} of {{ firm }}."})
    for words, said in (
        (("create", "letter", undeclared), "`nobody` isn't declared"),
        (("create", "letter", str(tmp_path / "nothing.json")), "nothing.json"),
        (("show", "letter"), "404"),
        (("label", "letter", "two"), "is neither a version"),
        (("rollback", "engagement_letter"), "has pointed nowhere else before"),
    ):
        refused = terminal.type("prompts", *words)
        assert refused.returncode != 0, words
        assert said in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr
