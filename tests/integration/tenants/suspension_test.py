"""A suspended tenant reads and starts nothing: no command, no waiting job, no slot, no delivery; until it is resumed."""

import asyncio
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from infrastructure.postgres.session import Role, connect
from infrastructure.postgres.tenants import suspension
from schemas.tenants import TenantState
from tests.integration.outside import receiving
from tests.integration.serving import PROCESS, Tenant, World
from tests.probe import LeaveMark, Nothing
from tests.system import System
from tests.waiting import wait_until

DOCUMENT = {"title": "T", "text": "words"}
SCHEDULE = {"name": "often", "cron": "* * * * *", "kind": "ai.process_document", "command": DOCUMENT}
OFTEN = {"SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "0.5", "RING_ALL_AGAIN_SECONDS": "1"}
EFFECTIVE_SECONDS = 2.0
MACHINE_SECONDS = 8.0
"""What a busy machine takes on top."""


@pytest.fixture
def operator(served: World) -> Tenant:
    return served.operator()


@pytest.fixture
def tenant(system: System, served: World, operator: Tenant) -> Tenant:
    return served.another_key(system.tenant_id)


def set_state(world: World, operator: Tenant, tenant_id: UUID, state: TenantState, because: str = "") -> None:
    with world.http(operator) as http:
        answer = http.patch(f"/api/tenants/{tenant_id}", json={"state": state, "because": because})
    assert answer.status_code == 200, answer.text


def test_a_suspended_tenants_job_never_starts_and_all_of_them_run_once_it_is_resumed(
    system: System, served: World, operator: Tenant, tenant: Tenant
) -> None:
    system.dispatcher(**OFTEN)
    for _ in range(2):
        system.worker(WORKER_CONCURRENCY="1")
    running = system.submit(*[LeaveMark(seconds=4.0)] * 2)
    for job_id in running:
        system.await_state(job_id, "running")
    waiting = system.submit(*[LeaveMark()] * 20)
    set_state(served, operator, tenant.id, TenantState.SUSPENDED)
    late = system.submit(LeaveMark(), LeaveMark())
    (other,) = system.submit(Nothing(), tenant_id=system.tenant())

    for job_id in running:
        assert system.await_state(job_id, "succeeded", "dead") == "succeeded", "what runs ends"
    system.await_state(other, "succeeded")
    held = "SELECT count(*) FROM jobs WHERE parked LIKE 'hold:%%'"
    wait_until(lambda: system.read(held)[0][0] == 22, "the workers came to the waiting jobs and held each")
    started = system.read("SELECT job_id FROM job_events WHERE type = 'job.started' AND tenant_id = %s", tenant.id)
    assert {job_id for (job_id,) in started} == set(running)

    set_state(served, operator, tenant.id, TenantState.ACTIVE)
    for job_id in (*waiting, *late):
        system.await_state(job_id, "succeeded")
        assert system.marks(job_id) == [1]


def test_a_process_that_hears_nothing_from_redis_holds_them_within_two_seconds(
    system: System, served: World, operator: Tenant, tenant: Tenant
) -> None:
    """The suspension is written by PostgreSQL alone, as if its announcement were lost."""
    system.worker()
    system.submit(Nothing())
    system.await_all_finished(1)
    _suspend_unannounced(system, tenant.id)
    suspended_at = time.monotonic()
    with served.http(tenant) as http:
        wait_until(lambda: http.post(PROCESS, json=DOCUMENT).status_code == 403, "the ingress refuses commands")
        assert time.monotonic() - suspended_at < EFFECTIVE_SECONDS + MACHINE_SECONDS

    job_id = wait_until(lambda: _held_of(system, *system.submit(Nothing())), "a new job is held")
    assert job_id is not None
    assert time.monotonic() - suspended_at < EFFECTIVE_SECONDS + MACHINE_SECONDS
    assert system.timeline(job_id) == ["job.queued", "job.held"]


def test_new_work_is_refused_with_the_reason_and_reads_go_on(served: World, operator: Tenant, tenant: Tenant) -> None:
    with served.http(tenant) as http:
        job = http.post(PROCESS, json=DOCUMENT).json()["id"]
        schedule = http.post("/api/schedules", json=SCHEDULE).json()["id"]
    set_state(served, operator, tenant.id, TenantState.SUSPENDED, "the invoice of May is unpaid")

    with served.http(tenant) as http:
        refused = [
            http.post(PROCESS, json=DOCUMENT),
            http.post("/api/jobs/batch", json={"jobs": [{"kind": "ai.process_document", "command": DOCUMENT}]}),
            http.post("/api/schedules", json={**SCHEDULE, "name": "another"}),
            http.post(f"/api/schedules/{schedule}/run"),
            http.post(f"/api/schedules/{schedule}/resume"),
            http.post("/api/webhooks", json={"url": "https://8.8.8.8/"}),
            http.post("/api/jobs/replay", json={}),
            http.post("/api/keys/rotate", json={}),
        ]
        read = [
            *(http.get(path) for path in (f"/api/jobs/{job}", "/api/jobs", "/api/schedules", "/api/usage")),
            http.post("/api/search/advanced", json={}),
            http.post(f"/api/jobs/{job}/token", json={}),
            http.post(f"/api/jobs/{job}/cancel"),
        ]
        why = http.get("/api/holds").json()["holds"]
        lifted = http.delete(f"/api/holds/{why[0]['id']}")

    for answer in refused:
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "tenant-suspended")
        assert "the invoice of May is unpaid" in answer.json()["detail"]
    assert [answer.status_code for answer in read] == [200] * 5 + [201, 200]
    assert [one["reason"] for one in why] == ["the tenant is suspended: the invoice of May is unpaid"]
    assert lifted.status_code == 403, "the tenant can't lift it"


def test_its_slots_pass_and_its_owners_pause_outlives_the_suspension(
    system: System, served: World, operator: Tenant, tenant: Tenant
) -> None:
    other = served.tenant()
    with served.http(tenant) as http, served.http(other) as another:
        schedule, paused = (
            http.post("/api/schedules", json={**SCHEDULE, "name": name}).json()["id"] for name in ("one", "two")
        )
        http.post(f"/api/schedules/{paused}/pause")
        another.post("/api/schedules", json=SCHEDULE)
        served.database.execute("UPDATE schedules SET next_at = now(), look_at = now() WHERE paused_at IS NULL")
        set_state(served, operator, tenant.id, TenantState.SUSPENDED)
        system.dispatcher(**OFTEN)
        wait_until(lambda: _jobs_of(system, other.id), "the other tenant's slot, due at the same moment, made its job")
        assert _jobs_of(system, tenant.id) == 0
        shown = [http.get(f"/api/schedules/{one}").json() for one in (schedule, paused)]
        set_state(served, operator, tenant.id, TenantState.ACTIVE)
        resumed = wait_until(lambda: _with_a_next_slot(http, schedule), "a dispatcher has found the next slot")
        still_paused = http.get(f"/api/schedules/{paused}").json()

    assert [one["paused_because"] for one in shown] == ["tenant-suspended", None]
    assert resumed["paused_at"] is None
    assert still_paused["paused_at"] is not None


def test_its_events_are_sent_once_it_is_resumed(system: System) -> None:
    with receiving(system) as running:
        world, operator = running.world, running.world.operator()
        outside = running.outside()
        webhook = outside.webhook("/200", "job.succeeded")
        first = world.submit(outside.tenant)
        set_state(world, operator, outside.tenant.id, TenantState.SUSPENDED)
        other = running.outside()
        other.webhook("/200", "job.succeeded")
        system.dispatcher(**OFTEN)
        running.worker()
        world.succeed(first, {})
        world.succeed(world.submit(other.tenant), {})
        wait_until(lambda: other.received("/200"), "the other tenant's event, which came later, is received")
        assert outside.received("/200") == []
        assert outside.call("GET", f"/{webhook['id']}", 200)["paused_because"] == "tenant-suspended"

        set_state(world, operator, outside.tenant.id, TenantState.ACTIVE)
        wait_until(lambda: outside.ids("/200").keys() == {f"{first}:2"}, "the event of the meantime is received")


def _jobs_of(system: System, tenant_id: UUID) -> int:
    return int(system.read("SELECT count(*) FROM jobs WHERE tenant_id = %s", tenant_id)[0][0])


def _with_a_next_slot(http: httpx.Client, schedule: str) -> dict[str, Any]:
    shown: dict[str, Any] = http.get(f"/api/schedules/{schedule}").json()
    return shown if shown["last_at"] is not None or shown["next_at"] > shown["updated_at"] else {}


def _held_of(system: System, job_id: UUID) -> UUID | None:
    """The job, once a worker had it and held it; None where it ran."""
    parked = "SELECT parked IS NOT NULL, state FROM jobs WHERE id = %s"
    decided = wait_until(
        lambda: row if (row := system.read(parked, job_id)[0])[0] or row[1] == "succeeded" else None, "it is decided"
    )
    assert decided is not None
    return job_id if decided[0] else None


def _suspend_unannounced(system: System, tenant_id: UUID) -> None:
    async def suspend() -> None:
        connection = await connect(system.settings.database, Role.SYSTEM, "test")
        async with connection, connection.transaction():
            await suspension.state_of(connection, tenant_id)
            await suspension.suspend(connection, tenant_id, "", "a test")

    asyncio.run(suspend())
