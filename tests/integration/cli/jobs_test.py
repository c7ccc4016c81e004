"""`bucatini submit` and `bucatini jobs`, typed into a real shell's place against the real ingress."""

import json
import os
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from schemas.jobs import JobState
from tests.forked import run
from tests.integration.serving import Tenant, World

LEASE = "Acme Ltd shall pay $500 by 1 May 2027."


class Terminal:
    """A shell whose environment names the ingress and a key."""

    def __init__(self, world: World, tenant: Tenant, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "BUCATINI_URL": world.url,
            "BUCATINI_API_KEY": tenant.key,
            "BUCATINI_HOME": str(folder / "home"),
            **environment,
        }

    def type(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        told = {**self.environment, **environment}
        return run("producers.cli", *words, environment=told, folder=self.folder, stdin=stdin)


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


@pytest.fixture
def terminal(world: World, tenant: Tenant, tmp_path: Path) -> Terminal:
    (tmp_path / "lease.txt").write_text(LEASE, encoding="utf-8")
    return Terminal(world, tenant, tmp_path)


def test_a_document_is_submitted_shown_followed_and_cancelled(world: World, terminal: Terminal) -> None:
    submitted = terminal.type("submit", "ai.process_document", "--text-file", "lease.txt", "--priority", "7")
    job_id = submitted.stdout.strip()
    listed = terminal.type("jobs", "list", "--output", "jsonl")
    table = terminal.type("jobs", "list")
    shown = terminal.type("jobs", "show", job_id)
    cancelled = terminal.type("jobs", "cancel", job_id)
    watched = terminal.type("jobs", "watch", job_id, "--output", "jsonl")

    assert submitted.returncode == 0, submitted.stderr
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [job_id]
    assert job_id in table.stdout
    assert "job.queued" in shown.stdout
    assert cancelled.stdout == f"job {job_id} is cancelled\n"
    assert [json.loads(line)["type"] for line in watched.stdout.splitlines()] == ["job.queued", "job.cancelled"]
    assert watched.returncode == 1
    stored = world.database.execute("SELECT command, priority FROM jobs").fetchone()
    assert stored == ({"title": "lease.txt", "text": LEASE, **_unsaid()}, 7)


def test_a_token_is_printed_for_a_browser(world: World, terminal: Terminal) -> None:
    job_id = terminal.type("submit", "ai.process_document", "--text-file", "lease.txt").stdout.strip()
    made = terminal.type("jobs", "token", job_id, "--ttl", "60")
    with world.http() as http:
        shown = http.get(f"/api/jobs/{job_id}", headers={"authorization": f"Bearer {made.stdout.strip()}"})

    assert (made.returncode, shown.status_code) == (0, 200), made.stderr


def test_a_result_that_is_waited_for_is_printed(world: World, terminal: Terminal) -> None:
    typed = ("submit", "keys.rotate", "--idempotency-key", "once")
    job_id = UUID(terminal.type(*typed).stdout.strip())
    rotated = {"old_version": None, "new_version": 1, "rows_reencrypted": 0, "conflicts": 0}
    world.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED, result=rotated)
    waited = terminal.type(*typed, "--wait", "5")

    assert (waited.returncode, json.loads(waited.stdout)) == (0, {"result": rotated})


def test_fields_come_from_standard_input_and_single_words(world: World, terminal: Terminal) -> None:
    fields = json.dumps({"text": LEASE, "analyses": ["readability"]})
    submitted = terminal.type("submit", "ai.analyze_content", "--command", "-", "--set", "language=en", stdin=fields)

    assert submitted.returncode == 0, submitted.stderr
    row = world.database.execute("SELECT command->>'language', command->'analyses' FROM jobs").fetchone()
    assert row == ("en", ["readability"])


def test_what_goes_wrong_is_one_line_and_an_exit_code(world: World, terminal: Terminal) -> None:
    unknown = terminal.type("submit", "ai.nothing")
    misfit = terminal.type("submit", "ai.process_document", "--title", "T")
    stranger = terminal.type("jobs", "list", BUCATINI_API_KEY="nobody")
    nobody = terminal.type("jobs", "show", "0f8fad5b-d9cb-469f-a165-70867728950e")
    homeless = terminal.type("jobs", "list", BUCATINI_URL="")

    ran = (unknown, misfit, stranger, nobody, homeless)
    assert [one.returncode for one in ran] == [2, 2, 1, 1, 2]
    assert all(one.stderr.startswith("bucatini: ") and one.stderr.count("\n") == 1 for one in ran), ran
    assert all(one.stdout == "" for one in ran)
    assert world.stored()["jobs"] == 0


def _unsaid() -> dict[str, None]:
    names = ("document", "language", "document_type", "document_id", "json_schema", "models", "max_cost_usd")
    return dict.fromkeys(names)


def test_a_batch_is_submitted_shown_and_cancelled(world: World, terminal: Terminal) -> None:
    item = {"kind": "ai.process_document", "command": {"title": "T", "text": LEASE}}
    capped = {**item, "concurrency_key": "acme", "concurrency_limit": 1}
    lines = [json.dumps(one) for one in (item, item, capped)]
    batch_id = terminal.type("batches", "submit", "-", "--name", "monday", stdin="\n".join(lines)).stdout.strip()
    shown = terminal.type("batches", "show", batch_id)
    cancelled = terminal.type("batches", "cancel", batch_id, "--output", "json")
    wrong = terminal.type("batches", "submit", "-", stdin='{"kind": "ai.nothing", "command": {}}')

    assert shown.stdout.strip() == f"batch {batch_id} 'monday' is waiting: 0% of 3 jobs (3 queued)"
    assert json.loads(cancelled.stdout)["by_state"] == {"cancelled": 3}
    stored = world.database.execute("SELECT concurrency_limit FROM jobs WHERE concurrency_key = 'acme'").fetchall()
    assert stored == [(1,)]
    assert (wrong.returncode, "line 1: there is no kind of job" in wrong.stderr) == (2, True)


def test_a_schedule_is_made_shown_paused_run_and_deleted(world: World, terminal: Terminal) -> None:
    cap = ("--concurrency-key", "acme", "--concurrency-limit", "1")
    create = ("schedules", "create", "nightly", "30 2 * * *", "keys.rotate", "--timezone", "Europe/Berlin", *cap)
    schedule_id = terminal.type(*create).stdout.strip()
    paused = terminal.type("schedules", "pause", schedule_id)
    listed = terminal.type("schedules", "list")
    resumed = terminal.type("schedules", "resume", schedule_id)
    shown = terminal.type("schedules", "show", schedule_id)
    slots = terminal.type("schedules", "upcoming", schedule_id, "--count", "2")
    ran = terminal.type("schedules", "run", schedule_id)
    deleted = terminal.type("schedules", "delete", schedule_id)
    wrong = terminal.type("schedules", "create", "x", "every day", "keys.rotate")

    assert terminal.type(*create).returncode == 0, "the name is free again"
    assert "nightly" in listed.stdout
    assert "paused" in listed.stdout
    assert (paused.stdout, "fires next" in resumed.stdout) == ("nightly is paused\n", True)
    assert "Europe/Berlin; overlap skip, catch up last" in shown.stdout
    assert len(slots.stdout.split()) == 2
    ran_as = world.database.execute("SELECT id, concurrency_key, concurrency_limit FROM jobs").fetchone()
    assert ran_as == (UUID(ran.stdout.strip()), "acme", 1)
    assert deleted.returncode == 0
    assert (wrong.returncode, "five fields" in wrong.stderr) == (2, True)
