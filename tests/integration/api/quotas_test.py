"""Of what a tenant may keep it never gets one more, however many requests ask at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from infrastructure.postgres.tenants.quotas import API_KEYS, HOLDS, OPEN_REPLAYS
from infrastructure.postgres.webhooks.deliveries import MAX_SECRETS
from schemas.problems import Problem
from tests.integration.serving import Tenant, World
from tests.tenancy import limit_tenant

AT_ONCE = 16
LEFT = 3
"""Places that are free when all of them ask."""

Make = Callable[[httpx.Client], httpx.Response]
WEBHOOK = {"url": "https://93.184.215.14/hook", "types": ["job.*"]}
SCHEDULE = {"cron": "30 2 * * *", "kind": "ai.process_document", "command": {"title": "T", "text": "words"}}


def _schedule(http: httpx.Client) -> httpx.Response:
    return http.post("/api/schedules", json={**SCHEDULE, "name": str(uuid4())})


def _group(http: httpx.Client) -> httpx.Response:
    return http.put(f"/api/groups/g-{uuid4().hex[:20]}", json={"types": ["*"]})


def _webhook(http: httpx.Client) -> httpx.Response:
    return http.post("/api/webhooks", json=WEBHOOK)


def _key(http: httpx.Client) -> httpx.Response:
    return http.post("/api/api-keys", json={"name": "one more", "scopes": ["jobs:read"]})


def _hold(http: httpx.Client) -> httpx.Response:
    wanted = {"kind": "ai.process_document", "argument": {"title": str(uuid4())}, "reason": "to see"}
    return http.post("/api/holds", json=wanted)


def _replay(http: httpx.Client) -> httpx.Response:
    return http.post("/api/jobs/replay", json={"limit": 10})


@pytest.mark.parametrize(
    ("make", "quota", "places"),
    [
        (_schedule, "schedules", None),
        (_group, "groups", None),
        (_webhook, "webhooks", None),
        (_key, "keys", API_KEYS.limit),
        (_hold, "holds", HOLDS.limit),
        (_replay, "replays", OPEN_REPLAYS.limit),
    ],
    ids=["schedules", "groups", "webhooks", "keys", "holds", "replays"],
)
def test_no_limit_is_passed_by_many_requests_at_once(world: World, make: Make, quota: str, places: int | None) -> None:
    tenant = world.tenant()
    if places is None:
        limit_tenant(world.settings, tenant.id, **{quota: LEFT})
    elif quota == "keys":
        _fill_with_keys(world, tenant, places - LEFT)
    with world.http(tenant) as http, ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in range(0 if quota == "keys" else (places or LEFT) - LEFT):
            assert make(http).is_success
        answers = list(threads.map(lambda _: make(http), range(AT_ONCE)))

    refused = [answer for answer in answers if not answer.is_success]
    assert len(answers) - len(refused) == LEFT
    for answer in refused:
        problem = Problem.model_validate_json(answer.content)
        assert (answer.status_code, problem.name) == (409, f"too-many-{quota}")
        assert f"{places or LEFT:,} of {places or LEFT:,}" in problem.detail
        assert ("operator" in problem.detail) is (places is None), "who can raise it is named, where anybody can"


def _fill_with_keys(world: World, tenant: Tenant, keys: int) -> None:
    world.database.execute(
        "INSERT INTO api_keys (id, tenant_id, name, secret_hash, scopes) "
        "SELECT 'key ' || n, %s, 'one of many', '', '{jobs:read}' FROM generate_series(2, %s) n",
        (tenant.id, keys),
    )


def test_a_webhook_never_has_two_secrets_that_stand(world: World) -> None:
    with world.http(world.tenant()) as http, ThreadPoolExecutor(AT_ONCE) as threads:
        webhook = _webhook(http).json()["id"]
        rotate = f"/api/webhooks/{webhook}/rotate-secret"
        answers = list(threads.map(lambda _: http.post(rotate).status_code, range(AT_ONCE)))
    kept = world.database.execute(
        "SELECT count(*), count(*) FILTER (WHERE valid_until IS NULL) FROM webhook_secrets WHERE webhook_id = %s",
        (webhook,),
    ).fetchone()

    assert answers == [200] * AT_ONCE
    assert kept == (MAX_SECRETS, 1)


def test_schedules_that_take_one_name_at_once_leave_it_to_one(world: World) -> None:
    with world.http(world.tenant()) as http, ThreadPoolExecutor(AT_ONCE) as threads:
        made = [_schedule(http).json()["id"] for _ in range(AT_ONCE)]
        wanted = {**SCHEDULE, "name": "nightly"}
        answers = list(threads.map(lambda one: http.put(f"/api/schedules/{one}", json=wanted).status_code, made))

    assert sorted(answers) == [200] + [409] * (AT_ONCE - 1)
