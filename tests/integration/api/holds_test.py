"""Holds and explanations as tenants make and read them, by the API, the client and the terminal."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from infrastructure.redis.pubsub import Channel
from producers.client import Bucatini, ProblemAnswer
from schemas.ai import ProcessDocument
from schemas.holds import HoldAction, NewHold
from schemas.problems import Problem
from tests.integration.cli.jobs_test import Terminal
from tests.integration.serving import DOCUMENT, PROCESS, Tenant, World
from tests.tenancy import limit_tenant
from tests.waiting import wait_until

COMMAND = ProcessDocument(title=DOCUMENT["title"], text=DOCUMENT["text"])
OTHERS = (
    "INSERT INTO holds (id, tenant_id, action, kind, reason, created_by) VALUES (%s, %s, 'pause', 'k', 'theirs', 'x')"
)


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


def test_a_hold_is_made_once_announced_listed_and_removed(world: World, tenant: Tenant) -> None:
    wanted = NewHold(kind="ai.process_document", argument={"title": "Lease"}, reason="it repeats itself")
    with Bucatini(world.url, tenant.key) as client:
        with world.heard(Channel.RULES) as said:
            hold = client.holds.create(wanted)
            assert wait_until(lambda: said() is not None, "the workers are told")
        assert client.holds.create(wanted) == hold
        assert client.holds.list() == (hold,)
        assert (hold.tenant_id, hold.created_by) == (tenant.id, f"key {tenant.key_id}")
        client.holds.delete(hold.id)
        assert client.holds.list() == ()
        with pytest.raises(ProblemAnswer, match="not-found"):
            client.holds.delete(hold.id)


def test_a_tenant_sees_and_removes_no_other_tenants_holds_and_no_operators(world: World, tenant: Tenant) -> None:
    theirs, everybodys = uuid4(), uuid4()
    world.database.execute(OTHERS, (theirs, world.tenant().id))
    world.database.execute(OTHERS, (everybodys, None))
    with Bucatini(world.url, tenant.key) as client:
        assert [one.id for one in client.holds.list()] == [everybodys]
        for hold_id in (theirs, everybodys):
            with pytest.raises(ProblemAnswer, match="not-found"):
                client.holds.delete(hold_id)


def test_holds_are_bounded_and_need_an_admin(world: World, tenant: Tenant) -> None:
    with world.http(world.another_key(tenant.id, "jobs:write")) as http:
        assert http.post("/api/holds", json={"reason": "r"}).status_code == 403
    with world.http(tenant) as http:
        answers = [http.post("/api/holds", json={"reason": "r", "argument": {"n": n}}) for n in range(51)]
    assert [one.status_code for one in answers] == [201] * 50 + [409]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "r", "kind": "ai.unknown"}, "/kind"),
        ({"reason": "r", "queue": "unknown"}, "/queue"),
        ({"reason": "r", "queue": "No Queue"}, "/queue"),
        ({"reason": "r", "argument": []}, "/argument"),
        ({"reason": "r", "argument": {"a": "x" * 2_000}}, "/argument"),
        ({"reason": ""}, "/reason"),
        ({"reason": "r", "action": "stop"}, "/action"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused_by_field(
    world: World, tenant: Tenant, body: dict[str, object], pointer: str
) -> None:
    with world.http(tenant) as http:
        answer = http.post("/api/holds", json=body)

    assert answer.status_code == 422
    assert [one.pointer for one in Problem.model_validate_json(answer.content).errors] == [pointer]


def test_a_key_and_its_limit_come_together(world: World, tenant: Tenant) -> None:
    with world.http(tenant) as http:
        answer = http.post(PROCESS, params={"concurrency_key": "acme"}, json=DOCUMENT)

    assert [one.pointer for one in Problem.model_validate_json(answer.content).errors] == ["/query/concurrency_limit"]


def test_a_capped_job_says_whom_it_waits_for(world: World, tenant: Tenant) -> None:
    with Bucatini(world.url, tenant.key) as client:
        first, second = (client.submit(COMMAND, concurrency_key="acme", concurrency_limit=1) for _ in range(2))
        world.database.execute("UPDATE jobs SET parked = NULL, wake_at = now() WHERE id = %s", (first.id,))

        why = second.why()
        assert why.reason.because == "limit"
        assert why.summary == (
            "At most 1 jobs of the key 'acme' may be under way, and 1 are. It is number 1 of those waiting."
        )
        assert [one.type for one in second.timeline().entries] == ["job.queued", "job.capped"]


def test_a_waiting_job_says_that_no_worker_is_there_and_then_that_its_queue_is_paused(
    world: World, tenant: Tenant, tmp_path: Path
) -> None:
    with Bucatini(world.url, tenant.key) as client:
        job = client.submit(COMMAND)
        assert job.why().summary == "No worker of pool ai is alive; start one: bucatini worker ai"

        operator = _operator(world, tenant, tmp_path)
        paused = operator.type("pause", "ai", "--reason", "the provider is down")
        assert paused.returncode == 0, paused.stderr
        assert "the provider is down" in job.why().summary
        asked = operator.type("jobs", "why", str(job.id))
        assert asked.stdout.startswith("queued: The queue ai is paused by operator ")

        listed = json.loads(operator.type("holds", "--output", "jsonl").stdout)
        assert (listed["queue"], listed["action"]) == ("ai", HoldAction.PAUSE)
        assert operator.type("resume", "ai").returncode == 0
        assert operator.type("resume", "ai").returncode == 1
        assert job.why().reason.because == "turn"


def test_a_job_over_its_tenants_cap_says_so(world: World, tenant: Tenant) -> None:
    limit_tenant(world.settings, tenant.id, jobs_in_flight=1)

    with Bucatini(world.url, tenant.key) as client:
        _, second = (client.submit(COMMAND) for _ in range(2))

        assert second.why().reason.because == "limit"


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "--reason", "r"),
        ("resume",),
        ("pause", "mail", "--reason", "r"),
        ("kill", "--argument", "{", "--reason", "r"),
    ],
)
def test_an_operators_mistake_is_one_line(world: World, tenant: Tenant, tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = _operator(world, tenant, tmp_path).type(*words)

    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


def test_a_strangers_job_is_explained_to_nobody_else(world: World, tenant: Tenant) -> None:
    job_id: UUID = world.submit(world.tenant())
    with world.http(tenant) as http:
        assert http.get(f"/api/jobs/{job_id}/why").status_code == 404


def _operator(world: World, tenant: Tenant, folder: Path) -> Terminal:
    return Terminal(world, tenant, folder, DATABASE_URL=world.settings.database, REDIS_URL=world.settings.redis)
