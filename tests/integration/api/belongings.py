"""One of each thing that a tenant can have, to be asked for by others."""

import re
from dataclasses import dataclass
from uuid import UUID, uuid4

from schemas.jobs import JobState
from schemas.problems import Problem
from tests.integration.serving import Tenant, World
from tests.tenancy import limit_tenant

SECRET = "Zyzzyva4711"
FINGERPRINT = "0123456789abcdef"
SCHEDULE = {"name": "mine", "cron": "0 0 1 1 *", "kind": "keys.rotate", "command": {}}
GROUP = "zyzzyva-4711"
DOCUMENT = "zyzzyva/4711"
PROFILE = "zyzzyva-4711"
PROVIDER = "openai"
PROMPT = "zyzzyva-4711"
SAVED = "zyzzyva-4711"


@dataclass(frozen=True, slots=True)
class Belongings:
    """One of each thing that an id in an address may name."""

    job: UUID
    instance: UUID
    hold: UUID
    key_id: str
    replay: UUID
    fingerprint: str
    batch: UUID
    schedule: UUID
    webhook: UUID
    delivery: UUID
    group: str

    owner: UUID

    def of(self, path: str) -> str:
        """The address of the tenant's own thing. A new kind of thing must be added here."""
        for start, name in (
            ("/api/jobs/", self.job),
            ("/api/workflow/instances/", self.instance),
            ("/api/holds/", self.hold),
            ("/api/api-keys/", self.key_id),
            ("/api/replays/", self.replay),
            ("/api/failures/", self.fingerprint),
            ("/api/batches/", self.batch),
            ("/api/schedules/", self.schedule),
            ("/api/webhooks/", self.webhook),
            ("/api/groups/", self.group),
            ("/api/documents/", DOCUMENT),
            ("/api/document-profiles/", PROFILE),
            ("/api/prompts/", PROMPT),
            ("/api/search/saved/", SAVED),
            ("/api/search/index-document/", DOCUMENT),
            ("/api/tenants/", self.owner),
            ("/api/ai/credentials/", PROVIDER),
        ):
            if path.startswith(start):
                named = path.replace("{delivery_id}", str(self.delivery)).replace("{n}", "1")
                return re.sub(r"{\w+}", str(name), named)
        raise AssertionError(f"no test knows whose {path} is")


def give_one_of_each(world: World, owner: Tenant) -> Belongings:
    """One of each thing, with the secret in whatever can hold one."""
    job = world.submit(owner, title=SECRET)
    world.happen(job, "job.started", state=JobState.RUNNING, data={"attempt": 1, "message": SECRET})
    world.succeed(job, {"title": SECRET})
    instance = uuid4()
    world.database.execute(
        "INSERT INTO workflow_instances (id, tenant_id, status, state, data, steps, version) "
        "VALUES (%s, %s, 'running', %s, '{}', '[]', 1)",
        (instance, owner.id, SECRET),
    )
    hold = uuid4()
    world.database.execute(
        "INSERT INTO holds (id, tenant_id, action, kind, reason, created_by) VALUES (%s, %s, 'pause', 'k', %s, 'owner')",
        (hold, owner.id, SECRET),
    )
    limit_tenant(world.settings, owner.id, weight=2)
    _add_document(world, owner)
    _add_prompt(world, owner)
    key = world.another_key(owner.id, "jobs:read")
    world.database.execute("UPDATE api_keys SET name = %s WHERE tenant_id = %s", (SECRET, owner.id))
    failed = world.submit(owner, title=SECRET)
    world.happen(failed, "job.failed", state=JobState.FAILED, problem=Problem.of("odd", SECRET, 500).model_dump())
    world.database.execute("UPDATE jobs SET fingerprint = %s, failed_at = now() WHERE id = %s", (FINGERPRINT, failed))
    with world.http(owner) as http:
        replay = UUID(http.post("/api/jobs/replay", json={"kind": SECRET}).json()["id"])
    batch, _ = world.submit_batch(owner, {"title": SECRET})
    world.succeed(batch, {})
    with world.http(owner) as http:
        schedule = http.post("/api/schedules", json={**SCHEDULE, "name": SECRET}).json()["id"]
    return Belongings(
        job, instance, hold, key.key_id, replay, FINGERPRINT, batch, UUID(schedule), *_outgoing(world, owner), owner.id
    )


def _add_document(world: World, owner: Tenant) -> None:
    """A document that was imported, a profile, and a key of a provider."""
    with world.http(owner) as http:
        added = http.post("/api/documents", json={"id": DOCUMENT, "title": SECRET, "text": SECRET})
        assert added.status_code == 202, added.text
        assert http.put(f"/api/document-profiles/{PROFILE}", json={"index": False}).status_code == 200
        assert http.put(f"/api/ai/credentials/{PROVIDER}", json={"key": SECRET}).status_code == 200
        saved = {"query": {"text": SECRET}, "description": SECRET}
        assert http.put(f"/api/search/saved/{SAVED}", json=saved).status_code == 200
    world.database.execute("UPDATE document_versions SET state = 'ready', imported_at = now(), language = 'en'")
    world.database.execute("UPDATE documents SET current_version = 1, indexed_version = 1")


def _add_prompt(world: World, owner: Tenant) -> None:
    """A prompt with two versions, a label that isn't the first one's, and a test."""
    content = {"sections": [{"heading": SECRET, "instruction": SECRET}]}
    with world.http(owner) as http:
        made = http.post("/api/prompts", json={"name": PROMPT, "description": SECRET, "content": content})
        assert made.status_code == 201, made.text
        body = {"content": {**content, "system": SECRET}, "note": SECRET}
        assert http.post(f"/api/prompts/{PROMPT}/versions", json=body).status_code == 201
        moved = {"variants": [{"version": 1, "percent": 100}], "because": SECRET}
        assert http.put(f"/api/prompts/{PROMPT}/labels/{PROMPT}", json=moved).status_code == 200
        assert http.put(f"/api/prompts/{PROMPT}/tests/{PROMPT}", json={"contains": [SECRET]}).status_code == 200


def _outgoing(world: World, owner: Tenant) -> tuple[UUID, UUID, str]:
    """A webhook, a delivery of it and a group."""
    with world.http(owner) as http:
        wanted = {"url": "https://8.8.8.8/", "description": SECRET, "paused": True}
        webhook = http.post("/api/webhooks", json=wanted).json()["id"]
        delivery = http.post(f"/api/webhooks/{webhook}/test").json()["id"]
        assert http.put(f"/api/groups/{GROUP}", json={"types": ["*"]}).status_code == 200
    return UUID(webhook), UUID(delivery), GROUP
