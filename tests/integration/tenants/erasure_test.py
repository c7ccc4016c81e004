"""Of an erased tenant nothing is left, in no table, no object and no index, and the proof says so, whoever dies on the way."""

import asyncio
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from infrastructure.object_store.files import FileStore
from infrastructure.object_store.places import document_place, result_place
from infrastructure.postgres.tables import OWNER, metadata
from infrastructure.postgres.tenants import erasure
from infrastructure.tantivy.engine import folder_name
from tests.integration.serving import Tenant, World
from tests.probe import LeaveMark
from tests.system import System
from tests.waiting import wait_until

QUICK = {"HEARTBEAT_SECONDS": "0.2"}
OFTEN = {"SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "0.5"}
SECRET = "Zyzzyva4711"


@pytest.fixture
def operator(served: World) -> Tenant:
    return served.operator()


def test_every_table_with_tenants_rows_is_erased_but_the_tenant_and_the_proof() -> None:
    owned = {table.name for table in metadata.tables.values() if OWNER in table.info}

    assert {name for name, _ in erasure.tables()} == owned - {"tenants", "tenant_erasures"}
    assert next(erasure.tables())[0] == "tenant_keys", "what is sealed can't be opened from the first moment on"


def test_nothing_is_left_and_other_tenants_keep_all(system: System, served: World, operator: Tenant) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    system.start("workers.runtime", "search")
    gone, other = served.tenant(), served.tenant()
    for tenant in (gone, other):
        _fill(system, served, tenant)
    kept = _rows_of(system, other.id)
    (running,) = system.submit(LeaveMark(seconds=60), tenant_id=gone.id)
    system.await_state(running, "running")
    assert set(_rows_of(system, gone.id)) >= {
        *("jobs", "job_events", "documents", "tenant_keys", "schedules", "webhooks"),
        *("ai_prompts", "ai_prompt_versions", "ai_prompt_labels", "ai_prompt_tests"),
    }
    assert set(_rows_of(system, gone.id)) >= {"ai_service_requests", "ai_credentials", "ai_sections", "ai_answers"}

    with served.http(operator) as http:
        begun = http.delete(f"/api/tenants/{gone.id}")
        again = http.delete(f"/api/tenants/{gone.id}")
        with served.http(gone) as refused:
            assert refused.get("/api/jobs").status_code == 401, "its keys open nothing from now on"
        system.start("workers.runtime", "keys", **QUICK)
        shown = wait_until(lambda: _once_erased(http, gone.id), "the erasure is proved")
    assert shown is not None
    proof = shown["erasure"]["proof"]

    assert (begun.status_code, again.json()["job_id"]) == (202, begun.json()["job_id"])
    assert _rows_of(system, gone.id) == {}
    left = _rows_of(system, other.id)
    assert {table: left.get(table, 0) >= count for table, count in kept.items()} == dict.fromkeys(kept, True)
    assert [_objects_of(system, tenant) for tenant in (gone, other)] == [[], sorted(objects_of(other))]
    assert [_indexed(system, tenant) for tenant in (gone, other)] == [False, True]
    assert proof["erased"]["documents"] == proof["erased"]["search_index"] == 1
    assert proof["erased"]["objects"] == len(objects_of(gone))
    said = {name: value for name, value in proof.items() if name != "digest"}
    assert sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest() == proof["digest"]
    assert shown["name"] == f"erased-{gone.id}"
    assert system.marks(running) == [], "the running job was stopped"
    assert system.await_state(UUID(begun.json()["job_id"]), "succeeded", "failed", "dead") == "succeeded"


def test_an_erasure_whose_worker_is_killed_is_carried_on_by_another(
    system: System, served: World, operator: Tenant
) -> None:
    gone = served.tenant()
    served.submit(gone, title=SECRET)
    served.database.execute(
        "INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command) "
        "SELECT gen_random_uuid(), %s, 'k', 'ai', 'succeeded', 1, '{}' FROM generate_series(1, 30000)",
        (gone.id,),
    )
    served.database.execute(
        "INSERT INTO job_events (job_id, seq, tenant_id, type) SELECT id, 1, tenant_id, 'job.queued' FROM jobs "
        "WHERE kind = 'k'"
    )
    system.dispatcher(LEASE_SECONDS="1", **OFTEN)
    first = system.start("workers.runtime", "keys", **QUICK)
    with served.http(operator) as http:
        http.delete(f"/api/tenants/{gone.id}")
        wait_until(lambda: http.get(f"/api/tenants/{gone.id}").json()["erasure"]["erased"], "it has begun")
        first.kill()
        system.start("workers.runtime", "keys", **QUICK)
        shown = wait_until(lambda: _once_erased(http, gone.id), "the erasure is proved")

    assert shown is not None
    assert shown["erasure"]["proof"]["erased"]["jobs"] == 30_001, "each row is counted once"
    assert _rows_of(system, gone.id) == {}


def objects_of(tenant: Tenant) -> list[str]:
    """A result, a document's original, and what a killed upload left."""
    document = document_place(tenant.id, str(UUID(int=3)))
    return [result_place(tenant.id, UUID(int=1), UUID(int=2)), document, f"{document}.{UUID(int=4)}"]


def _fill(system: System, world: World, tenant: Tenant) -> None:
    """Something of the tenant wherever the product keeps anything."""
    with world.http(tenant) as http:
        document = {"document_id": "d", "title": SECRET, "text": SECRET, "document_type": "contract"}
        answer = http.post("/api/search/index-document", json=document, headers={"idempotency-key": "k"})
        job = UUID(answer.json()["id"])
        schedule = {"name": SECRET, "cron": "0 0 1 1 *", "kind": "keys.rotate", "command": {}}
        for path, body in (("schedules", schedule), ("webhooks", {"url": "https://8.8.8.8/"})):
            assert http.post(f"/api/{path}", json=body).status_code == 201
        assert http.put("/api/groups/g", json={"types": ["*"]}).status_code == 200
        assert http.put("/api/ai/credentials/openai", json={"key": SECRET}).status_code == 200
        prompt = {"name": "p", "content": {"outline": SECRET}}
        assert http.post("/api/prompts", json=prompt).status_code == 201
        assert http.put("/api/prompts/p/tests/t", json={"contains": [SECRET]}).status_code == 200
        assert http.post("/api/jobs/replay", json={"kind": SECRET}).status_code == 202
    system.await_state(job, "succeeded")
    world.database.execute(
        "INSERT INTO job_objects (job_id, tenant_id, key, bytes) VALUES (%s, %s, %s, 6)",
        (uuid4(), tenant.id, objects_of(tenant)[0]),
    )
    world.database.execute(
        "INSERT INTO ai_service_requests (id, tenant_id, job_id, purpose, provider, model, lane, own_key, outcome) "
        "VALUES (%(id)s, %(tenant)s, %(id)s, 'plan', 'openai', 'm', 'realtime', false, 'open')",
        {"id": uuid4(), "tenant": tenant.id},
    )
    world.database.execute(
        "INSERT INTO ai_sections (tenant_id, job_id, section, cell, content) VALUES (%s, %s, 0, 'c', '')",
        (tenant.id, uuid4()),
    )
    world.database.execute(
        "INSERT INTO ai_answers (tenant_id, asked, job_id, section, cell, content) VALUES (%s, 'a', %s, 0, 'c', '')",
        (tenant.id, uuid4()),
    )
    for place in objects_of(tenant):
        asyncio.run(FileStore(system.settings.bucatini_home / "objects").put(place, b"sealed"))


def _once_erased(http: Any, tenant_id: UUID) -> dict[str, Any] | None:
    shown: dict[str, Any] = http.get(f"/api/tenants/{tenant_id}").json()
    return shown if shown["state"] == "erased" else None


def _rows_of(system: System, tenant_id: UUID) -> dict[str, int]:
    counts = {
        table: system.read(f"SELECT count(*) FROM {table} WHERE {column} = %s", tenant_id)[0][0]
        for table, column in erasure.tables()
    }
    return {table: count for table, count in counts.items() if count}


def _objects_of(system: System, tenant: Tenant) -> list[str]:
    folder = system.settings.bucatini_home / "objects"
    files = [Path(place) / name for place, _, names in os.walk(folder / str(tenant.id)) for name in names]
    return sorted(str(file.relative_to(folder)) for file in files)


def _indexed(system: System, tenant: Tenant) -> bool:
    return (system.settings.bucatini_home / "search" / folder_name(tenant.id) / "current").exists()
