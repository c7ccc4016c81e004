"""Of what a tenant may keep it never gets one more, however many requests ask at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.routes import api_keys, groups, schedules, webhooks
from infrastructure.postgres.jobs import bulk_replays
from infrastructure.postgres.jobs.holds import MAX_HOLDS_OF_A_TENANT
from infrastructure.postgres.webhooks.deliveries import MAX_SECRETS
from tests.integration.serving import World

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
    ("make", "limit", "module"),
    [
        (_schedule, "MAX_SCHEDULES", schedules),
        (_group, "MAX_GROUPS", groups),
        (_webhook, "MAX_WEBHOOKS", webhooks),
        (_key, "MAX_KEYS", api_keys),
        (_hold, "MAX_HOLDS_OF_A_TENANT", None),
        (_replay, "MAX_OPEN", None),
    ],
    ids=["schedules", "groups", "webhooks", "keys", "holds", "replays"],
)
def test_no_limit_is_passed_by_many_requests_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, make: Make, limit: str, module: Any
) -> None:
    if module is not None:
        monkeypatch.setattr(module, limit, LEFT + (1 if module is api_keys else 0))
    places = {"MAX_HOLDS_OF_A_TENANT": MAX_HOLDS_OF_A_TENANT, "MAX_OPEN": bulk_replays.MAX_OPEN}.get(limit, LEFT)
    with world.http(world.tenant()) as http, ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in range(places - LEFT):
            assert make(http).is_success
        answers = list(threads.map(lambda _: make(http).status_code, range(AT_ONCE)))

    assert [status < 400 for status in sorted(answers)] == [True] * LEFT + [False] * (AT_ONCE - LEFT)
    assert set(sorted(answers)[LEFT:]) == {409}


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
