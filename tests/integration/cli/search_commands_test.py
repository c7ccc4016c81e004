"""`bucatini search`: indexing, finding, saving searches and rebuilding, against a running pool."""

import json
from pathlib import Path

import pytest

from tests.integration.cli.jobs_test import Terminal
from tests.integration.search.catalogue import OFTEN, lease
from tests.integration.serving import World
from tests.system import System


@pytest.fixture
def terminal(system: System, served: World, tmp_path: Path) -> Terminal:
    system.dispatcher(**OFTEN)
    system.start("workers.runtime", "search", **OFTEN)
    return Terminal(served, served.tenant(), tmp_path)


def test_lines_of_json_are_indexed_in_portions_and_what_failed_is_named(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "leases.jsonl"
    lines = [lease(number, f"Rent number{number} is due.") for number in range(1_203)]
    file.write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")

    indexed = terminal.type("search", "index", "--file", str(file))

    assert indexed.returncode == 0, indexed.stderr
    assert indexed.stdout.strip() == "1,203 documents can be found"
    assert "1,000 documents indexed" in indexed.stderr
    found = terminal.type("search", "query", "number1202").stdout
    assert "1 document\n" in found
    assert "1. Lease" in found
    assert "lease-1202 · lease" in found


def test_found_documents_are_shown_with_facets_and_pages_and_as_json(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "leases.jsonl"
    texts = ["The rent is overdue.", "The rent is paid.", "Overdue \x1b[31m twice."]
    file.write_text("\n".join(json.dumps(lease(n, text)) for n, text in enumerate(texts)), encoding="utf-8")
    assert terminal.type("search", "index", "--file", str(file)).returncode == 0

    shown = terminal.type("search", "query", "overdue", "--facet", "document_type", "--limit", "1").stdout
    whole = json.loads(terminal.type("search", "query", "rent", "-o", "json").stdout)

    assert "2 documents" in shown
    assert "document_type  documents" in shown
    assert "more: --cursor" in shown
    assert "\x1b" not in terminal.type("search", "query", "twice").stdout
    assert whole["total"] == 2
    assert terminal.type("search", "suggest", "lea").stdout.splitlines()[0] == "Lease"
    assert "overdue" in terminal.type("search", "query", "ovedue").stdout, "what was misspelled is said"


def test_an_index_is_rebuilt_rolled_back_and_documents_taken_out(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "leases.jsonl"
    file.write_text(json.dumps(lease(1)), encoding="utf-8")
    assert terminal.type("search", "index", "--file", str(file)).returncode == 0

    rebuilt = terminal.type("search", "reindex")

    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "answers: 1 document in" in rebuilt.stdout
    assert terminal.type("search", "indexes").stdout.count("\n") == 3
    assert terminal.type("search", "rollback").returncode == 0
    assert terminal.type("search", "unindex", "lease-1").stdout.strip() == "lease-1 is found no more"
    assert terminal.type("search", "query").stdout.strip() == "0 documents"
    assert terminal.type("search", "index", "lease-1").stdout.strip() == "1 document can be found"
    assert terminal.type("search", "index", "nobody").returncode == 1


def test_searches_are_saved_listed_and_removed(terminal: Terminal) -> None:
    assert terminal.type("search", "saved", "list").stdout.strip() == "no saved searches"
    assert terminal.type("search", "saved", "add", "overdue", "rent overdue").returncode == 0
    assert terminal.type("search", "saved", "add", "overdue", "rent").returncode == 1
    listed = terminal.type("search", "saved", "list").stdout
    assert "rent overdue" in listed
    assert terminal.type("search", "saved", "remove", "overdue").stdout.strip() == "removed overdue"
    assert terminal.type("search", "saved", "add", "both").returncode == 2


def test_what_is_no_document_is_refused_before_anything_is_sent(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "leases.jsonl"
    for line, said in (("{", "line 1 isn't JSON"), ('{"document_id": "x"}', "title"), ("[]", "documents")):
        file.write_text(line, encoding="utf-8")

        refused = terminal.type("search", "index", "--file", str(file))

        assert refused.returncode == 2
        assert said in refused.stderr, refused.stderr
