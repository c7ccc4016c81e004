"""`bucatini documents` against the real ingress."""

import json
from pathlib import Path

import pytest

from tests.integration.cli.jobs_test import Terminal
from tests.integration.serving import World

LEASE = "The rent is due on the first of each month.\n"


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Terminal:
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "lease.txt").write_text(LEASE)
    (folder / "Größe 2.md").write_text("# Größe\n\nDie Miete beträgt 900 Euro.\n")
    return Terminal(world, world.tenant(), tmp_path)


def test_a_file_is_added_shown_listed_fetched_and_deleted(terminal: Terminal) -> None:
    words = ("--id", "leases/1", "--title", "Lease\x1b[2J", "--tag", "rent", "--no-wait")
    added = terminal.type("documents", "add", "contracts/lease.txt", *words, "--output", "jsonl")
    shown = terminal.type("documents", "show", "leases/1")
    listed = terminal.type("documents", "list", "--tag", "rent")
    versions = terminal.type("documents", "versions", "leases/1", "--output", "jsonl")
    written = terminal.type("documents", "get", "leases/1", "--to", "fetched.txt")
    piped = terminal.type("documents", "get", "leases/1")
    facts = terminal.type("documents", "facts", "leases/1")
    deleted = terminal.type("documents", "delete", "leases/1")

    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["id"] == "leases/1"
    assert "sent 1 file, 44 B" in added.stderr
    assert "version 1 is importing" in shown.stdout
    assert "\x1b" not in shown.stdout + listed.stdout
    assert "leases/1" in listed.stdout
    assert json.loads(versions.stdout)["file_name"] == "lease.txt"
    assert ((terminal.folder / "fetched.txt").read_text(), piped.stdout) == (LEASE, LEASE)
    assert (written.returncode, facts.stdout) == (0, "nothing was found yet\n")
    assert "leases/1" in deleted.stdout
    gone = terminal.type("documents", "show", "leases/1")
    assert (gone.returncode, "404" in gone.stderr) == (1, True)


def test_a_folder_is_one_batch_and_adding_it_again_adds_what_changed(terminal: Terminal) -> None:
    (terminal.folder / "contracts/empty.txt").touch()
    first = terminal.type("documents", "add", "contracts", "--no-wait", "--output", "jsonl")
    (terminal.folder / "contracts/lease.txt").write_text(LEASE * 2)
    again = terminal.type("documents", "add", "contracts", "--no-wait", "--output", "json")
    batches = terminal.type("jobs", "list", "--output", "jsonl")

    outcomes = {one["id"]: one["outcome"] for one in map(json.loads, first.stdout.splitlines())}
    lease, other = "contracts/lease.txt", "contracts/Gr~c3~b6~c3~9fe~202.md"
    assert outcomes == {lease: "importing", other: "importing", None: "failed"}
    assert (first.returncode, "empty.txt: it is empty" in first.stderr) == (1, True)
    assert "3 files, 1 failed" in first.stderr
    assert {one["id"]: one["version"] for one in json.loads(again.stdout)} == {lease: 2, other: 1, None: None}
    assert {one["id"]: one["outcome"] for one in json.loads(again.stdout)}[other] == "unchanged"
    assert sum(json.loads(line)["kind"] == "batch" for line in batches.stdout.splitlines()) <= 2


def test_what_cannot_be_added_says_why(terminal: Terminal) -> None:
    nowhere = terminal.type("documents", "add", "nowhere")
    many = terminal.type("documents", "add", "contracts", "--title", "All")
    refused = terminal.type("documents", "add", "contracts/lease.txt", "--id", "not an id")

    assert (nowhere.returncode, "no file or folder nowhere" in nowhere.stderr) == (2, True)
    assert (many.returncode, "--title is for one file" in many.stderr) == (2, True)
    assert (refused.returncode, "/id" in refused.stderr) == (1, True)
