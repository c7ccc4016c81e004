"""What every command has in common, against the real ingress: ids by their beginnings, outputs, and empty lists."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.jobs_test import Terminal
from tests.integration.jobs.failing_jobs import fail
from tests.integration.serving import Tenant, World


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


@pytest.fixture
def terminal(world: World, tenant: Tenant, tmp_path: Path) -> Terminal:
    return Terminal(world, tenant, tmp_path)


def test_a_job_is_found_by_the_beginning_of_its_id(world: World, terminal: Terminal, tenant: Tenant) -> None:
    job_id, other_id = (str(one) for one in fail(world, tenant, 2))
    differ = next(at for at, one in enumerate(job_id) if one != other_id[at])
    beginning = job_id[: differ + 1]
    fail(world, world.tenant(), 3)  # Another tenant's ids begin anything.

    assert json.loads(terminal.type("jobs", "show", f"{beginning}…", "-o", "jsonl").stdout)["id"] == job_id
    assert terminal.type("jobs", "replay", beginning).stdout == f"job {job_id} is queued\n"
    nothing = terminal.type("jobs", "show", "00000000-dead")
    assert (nothing.returncode, nothing.stderr) == (2, "bucatini: there is no job that begins with 00000000-dead\n")


def test_a_beginning_of_several_ids_names_them(world: World, terminal: Terminal, tenant: Tenant) -> None:
    ids = [f"0199f3aa-0000-7000-8000-00000000000{last}" for last in (1, 2)]
    for job_id, old in zip(ids, fail(world, tenant, 2), strict=True):
        world.database.execute("UPDATE job_events SET job_id = %s WHERE job_id = %s", (job_id, old))
        world.database.execute("UPDATE jobs SET id = %s WHERE id = %s", (job_id, old))
    both = terminal.type("jobs", "show", "0199f3")

    assert both.returncode == 2
    assert both.stderr.startswith("bucatini: more than one job begins with 0199f3, type more of it: ")
    assert all(f"{job_id} (ai.process_document, failed)" in both.stderr for job_id in ids)


def test_a_fingerprint_is_shown_whole_and_taken_by_its_beginning(
    world: World, terminal: Terminal, tenant: Tenant
) -> None:
    fail(world, tenant, 2)
    fingerprint = json.loads(terminal.type("failures", "-o", "jsonl").stdout)["fingerprint"]

    assert fingerprint in _in_a_terminal_of_80(terminal, "failures")
    assert len(terminal.type("failures", fingerprint[:3], "-o", "jsonl").stdout.splitlines()) == 2
    one = terminal.type("jobs", "replay", "--fingerprint", f"{fingerprint[:5]}…", "--limit", "1", "--dry-run")
    assert one.stdout == "1 job would be replayed\n"


def test_a_terminal_of_eighty_columns_shows_ids_and_states_whole(
    world: World, terminal: Terminal, tenant: Tenant
) -> None:
    (job_id,) = fail(world, tenant, 1)
    shown = _in_a_terminal_of_80(terminal, "jobs", "list")

    assert f"{job_id} ai.process_document" in " ".join(shown.split())
    assert "failed" in shown
    assert "It is odd: line 17" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_problem_is_printed_as_words(world: World, terminal: Terminal, tenant: Tenant) -> None:
    (job_id,) = fail(world, tenant, 1)
    world.happen(job_id, "job.failed", data={"problem": {"type": "t", "title": "It is odd", "detail": "line 17"}})
    shown = terminal.type("jobs", "show", str(job_id)).stdout

    assert "It is odd: line 17" in shown.split("job.failed")[1].split("\n")[0]
    assert "{" not in shown


@pytest.mark.parametrize(
    ("words", "nothing"),
    [
        (("jobs", "list"), "no jobs"),
        (("failures",), "no failures"),
        (("schedules", "list"), "no schedules"),
        (("webhooks", "list"), "no webhooks"),
        (("groups", "list"), "no consumer groups"),
    ],
)
def test_an_empty_list_says_so_to_people_and_programs(terminal: Terminal, words: tuple[str, ...], nothing: str) -> None:
    assert terminal.type(*words).stdout == f"{nothing}\n"
    assert json.loads(terminal.type(*words, "--output", "json").stdout) == []
    assert terminal.type(*words, "--output", "jsonl").stdout == ""


def test_a_missing_file_is_named_wherever_one_is_read(terminal: Terminal) -> None:
    for words in (
        ("submit", "ai.process_document", "--text-file", "gone"),
        ("submit", "keys.rotate", "--command", "gone"),
        ("batches", "submit", "gone"),
        ("schedules", "create", "n", "@daily", "keys.rotate", "--command", "gone"),
    ):
        typed = terminal.type(*words)
        assert (typed.returncode, typed.stderr) == (2, "bucatini: there is no file gone\n"), words


def test_a_workflow_is_submitted_by_the_name_of_its_route(world: World, terminal: Terminal) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    typed = terminal.type("submit", "workflow.start", "--command", "-", stdin=json.dumps({"definition": definition}))

    assert typed.returncode == 0, typed.stderr
    assert world.database.execute("SELECT kind FROM jobs").fetchone() == ("workflow.run_step",)


def test_an_api_key_is_made_listed_and_revoked(world: World, tmp_path: Path) -> None:
    admin = Terminal(world, world.tenant(), tmp_path)
    made = json.loads(admin.type("api-keys", "create", "billing", "--scope", "jobs:read", "-o", "json").stdout)
    as_billing = {"BUCATINI_API_KEY": made["key"]}

    assert made["id"] in admin.type("api-keys", "list").stdout
    assert admin.type("jobs", "list", **as_billing).stdout == "no jobs\n"
    refused = admin.type("api-keys", "list", **as_billing)
    assert (refused.returncode, "403" in refused.stderr) == (1, True)
    assert admin.type("api-keys", "revoke", made["id"][:6]).stdout == f"API key {made['id']} is revoked\n"
    assert "revoked" in admin.type("api-keys", "list").stdout


def _in_a_terminal_of_80(terminal: Terminal, *words: str) -> str:
    """What a person sees, without colours."""
    main, other = pty.openpty()
    argv = [sys.executable, "-m", "producers.cli", *words]
    environment = {**terminal.environment, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    with subprocess.Popen(argv, stdout=other, cwd=terminal.folder, env=environment) as running:
        os.close(other)
        shown = b""
        while chunk := _read(main):
            shown += chunk
        running.wait(60)
    os.close(main)
    return shown.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # A terminal whose other end is closed says so by an error.
        return b""
