"""`bucatini ai write`, as a person types it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ai.generation.writers import FACTS, Writers
from tests.integration.cli.jobs_test import Terminal
from tests.integration.documents.shelf import Shelf
from tests.integration.serving import World

VARIABLES = [word for name, value in FACTS.items() for word in ("--var", f"{name}={value}")]


@pytest.fixture
def terminal(writers: Writers, tmp_path: Path) -> Iterator[Terminal]:
    with World(writers.system.settings) as world:
        yield Terminal(world, world.another_key(writers.system.tenant_id), tmp_path)


def test_a_document_is_printed_as_it_is_written_and_what_it_cost_is_said(writers: Writers, terminal: Terminal) -> None:
    writers.start()
    written = terminal.type("ai", "write", "--prompt", "status_report", *VARIABLES, "--store", "reports/1")

    assert written.returncode == 0, written.stderr
    text = Shelf(writers.system).text("reports/1") or ""
    sections = [part.split("\n\n", 1)[1].strip() for part in text.split("\n## ")[1:]]
    assert len(sections) == 5
    assert written.stdout.strip() == "\n\n".join(sections)
    assert text.startswith("# Status report\n")
    assert "5 calls" in written.stderr
    assert f"{writers.simulator.charged(writers.key).normalize():f} dollars" in written.stderr
    assert "kept as reports/1, version 1" in written.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--prompt", "status_report", "--var", "nonsense"], "nonsense: write NAME=VALUE"),
        ([], "give either --prompt or --template"),
        (["--prompt", "no_such_prompt"], "no_such_prompt"),
    ],
)
def test_what_makes_no_document_is_said_at_once(terminal: Terminal, typed: list[str], said: str) -> None:
    written = terminal.type("ai", "write", *typed)

    assert written.returncode != 0
    assert written.stdout == ""
    assert said in written.stderr
