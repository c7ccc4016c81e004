"""Webhooks end to end: a real ingress, dispatcher and worker, and a receiver in a process of its own."""

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from standardwebhooks import Webhook

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.local_stack.servers.redis import RedisServer
from infrastructure.webhooks.sender import ANSWER_SECONDS
from tests.conftest import TEMPLATE
from tests.integration.outside import Outside, Receiving, receiving
from tests.system import System
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def running(
    postgres: PostgresServer, redis_process: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Receiving]:
    """One system for all tests here: each has a tenant and a receiver's address of its own."""
    name = f"webhooks_{uuid4().hex}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(copy)
    folder = tmp_path_factory.mktemp("webhooks")
    with System(postgres.url_of(name), redis_process.url, folder) as system, receiving(system) as running:
        system.dispatcher()
        running.worker()
        yield running


@pytest.fixture
def outside(running: Receiving) -> Outside:
    return running.outside()


def test_an_event_arrives_signed_and_after_a_change_of_secret_with_both(
    outside: Outside,
) -> None:
    webhook = outside.webhook("/200", "job.succeeded")
    job_id = outside.world.submit(outside.tenant)
    outside.world.succeed(job_id, {"done": True})

    (message,) = wait_until(lambda: outside.received("/200"), "the event is received")
    event = Webhook(webhook["secret"]).verify(message["body"], message["headers"])
    assert (event["type"], event["subject"], event["specversion"]) == ("job.succeeded", str(job_id), "1.0")
    assert message["headers"]["webhook-id"] == event["id"] == f"{job_id}:2"
    assert message["headers"]["content-type"] == "application/cloudevents+json"
    delivered = outside.delivery(webhook, "delivered")
    assert (delivered["event_id"], delivered["attempts"], delivered["status"]) == (event["id"], 1, 200)
    assert webhook["secret"] not in json.dumps(outside.call("GET", "", 200))

    changed = outside.call("POST", f"/{webhook['id']}/rotate-secret", 200)
    outside.call("POST", f"/{webhook['id']}/test", 202)
    _, tried = wait_until(lambda: found if len(found := outside.received("/200")) == 2 else None, "the test") or [
        {},
        {},
    ]
    for secret in (webhook["secret"], changed["secret"]):
        assert Webhook(secret).verify(tried["body"], tried["headers"])["type"] == "webhooks.tested"


def test_what_failed_is_tried_again_and_keeps_its_id(outside: Outside) -> None:
    webhook = outside.webhook("/500-1-200", "job.queued")
    outside.world.submit(outside.tenant)
    wait_until(lambda: (found := outside.deliveries(webhook)) and found[0]["attempts"] == 1, "it failed once")
    outside.hurry()

    delivered = outside.delivery(webhook, "delivered")
    assert (delivered["attempts"], delivered["status"]) == (2, 200)
    assert list(outside.ids("/500-1-200").values()) == [2]
    assert outside.call("GET", f"/{webhook['id']}", 200)["failing_since"] is None


def test_a_receiver_that_is_gone_pauses_its_webhook_and_a_resumed_one_misses_nothing(outside: Outside) -> None:
    webhook = outside.webhook("/410-1-200", "job.queued", "webhooks.paused")
    first = outside.world.submit(outside.tenant)
    wait_until(lambda: outside.call("GET", f"/{webhook['id']}", 200)["paused_because"] == "gone", "it is paused")
    second = outside.world.submit(outside.tenant)

    outside.call("PUT", f"/{webhook['id']}", 200, {"url": webhook["url"], "types": webhook["types"]})

    wanted = {f"{first}:1", f"{second}:1"}
    wait_until(lambda: wanted <= set(outside.ids("/410-1-200")), "both events are received")
    told = wait_until(
        lambda: [one for one in outside.received("/410-1-200") if "webhooks.paused" in one["body"]], "the pause is told"
    )
    assert json.loads(told[0]["body"])["data"]["reason"] == "gone"


def test_a_redirect_is_not_followed_and_a_long_answer_not_read(outside: Outside) -> None:
    away, endless = outside.webhook("/away", "no.such"), outside.webhook("/endless", "no.such")
    for webhook in (away, endless):
        outside.call("POST", f"/{webhook['id']}/test", 202)

    assert outside.delivery(endless, "delivered")["answer_bytes"] == 16_384
    wait_until(lambda: outside.delivery(away, "pending")["status"] == 302, "the redirect is noted")
    assert outside.received("/200") == []
    assert "secret" not in json.dumps([outside.deliveries(away), outside.deliveries(endless)])


def test_whatever_breaks_an_attempt_is_noted_and_follows_the_webhooks_own_schedule(outside: Outside) -> None:
    odd, unsigned = outside.webhook("/odd", "no.such"), outside.webhook("/200", "no.such")
    outside.world.database.execute(
        "UPDATE webhook_secrets SET wrapped = 'not what the vault wrapped' WHERE webhook_id = %s", (unsigned["id"],)
    )
    for webhook in (odd, unsigned):
        outside.call("POST", f"/{webhook['id']}/test", 202)

    for webhook, name in ((odd, "receiver-said-no"), (unsigned, "delivery-failed")):
        wait_until(partial(_tried_twice, outside, webhook), "it was tried twice")
        (delivery,) = outside.deliveries(webhook)
        assert (delivery["state"], delivery["problem"]["type"].rpartition("/")[2]) == ("pending", name)
        ((seconds,),) = outside.world.database.execute(
            "SELECT extract(epoch FROM run_at - now()) FROM jobs WHERE id = %s", (delivery["job_id"],)
        ).fetchall()
        assert seconds > 200, "the second attempt is followed by five minutes, not by seconds"


def _tried_twice(outside: Outside, webhook: Any) -> bool:
    return bool(outside.deliveries(webhook)[0]["attempts"] == 2)


def test_a_failed_delivery_is_sent_again_when_asked(outside: Outside) -> None:
    webhook = outside.webhook("/500-1-200", "no.such")
    made = outside.call("POST", f"/{webhook['id']}/test", 202)
    wait_until(lambda: outside.deliveries(webhook)[0]["attempts"] == 1, "it failed once")
    (pending,) = outside.deliveries(webhook)
    with outside.world.http(outside.tenant) as http:
        assert http.post(f"/api/jobs/{pending['job_id']}/cancel").status_code == 200
    outside.world.database.execute(
        "UPDATE jobs SET finished_at = now() - interval '1 minute' WHERE state = 'cancelled'"
    )
    wait_until(lambda: outside.deliveries(webhook, state="failed"), "the log knows")

    again = outside.call("POST", f"/{webhook['id']}/redeliver-failed", 202, {"since": made["created_at"]})
    assert again == {"deliveries": 1}
    assert outside.delivery(webhook, "delivered")["id"] == made["id"]
    outside.call("POST", f"/{webhook['id']}/deliveries/{made['id']}/redeliver", 202)
    wait_until(lambda: len(outside.received("/500-1-200")) == 3, "it was sent once more")


def test_one_tenant_sees_nothing_of_anothers_webhooks(outside: Outside) -> None:
    webhook = outside.webhook("/200", "*")
    mine, outside.tenant = outside.tenant, outside.world.tenant()

    assert outside.call("GET", "", 200) == {"webhooks": []}
    outside.call("GET", f"/{webhook['id']}/deliveries", 404)
    outside.call("POST", f"/{webhook['id']}/rotate-secret", 404)
    outside.call("POST", f"/{webhook['id']}/test", 404)
    outside.call("DELETE", f"/{webhook['id']}", 404)
    outside.world.submit(outside.tenant)
    outside.tenant = mine
    own = outside.world.submit(mine)
    wait_until(lambda: outside.ids("/200"), "its own event is received")
    assert set(outside.ids("/200")) == {f"{own}:1"}


def test_a_forgotten_where_shows_no_webhook_of_another_tenant_and_no_key_at_all(outside: Outside) -> None:
    outside.webhook("/200")
    with outside.world.http(outside.tenant) as http:
        http.put("/api/groups/billing", json={"types": ["*"]})
    database = outside.world.database
    database.execute("SET ROLE bucatini_tenant")

    for tenant_id, rows in ((uuid4(), 0), (outside.tenant.id, 1)):
        database.execute("SELECT set_config('app.tenant_id', %s, false)", (str(tenant_id),))
        for statement in (
            "SELECT id FROM webhooks",
            "SELECT id FROM webhook_secrets",
            "UPDATE webhooks SET description = 'mine'",
            "SELECT name FROM consumer_groups",
        ):
            assert database.execute(statement).rowcount == rows, statement
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute("SELECT wrapped FROM webhook_secrets")
    database.execute("RESET ROLE")


def test_one_dead_receiver_holds_up_no_other(outside: Outside) -> None:
    dead, alive = outside.webhook("/slow", "job.queued"), outside.webhook("/200", "job.queued")
    began = time.monotonic()
    wanted = {f"{outside.world.submit(outside.tenant)}:1" for _ in range(40)}

    # In line with the dead one's, of which eight take ten seconds, it would be fifty.
    wait_until(lambda: set(outside.ids("/200")) == wanted, "the other has everything", within_seconds=30)
    held, waves = len(outside.received("/slow")), 1 + (time.monotonic() - began) // ANSWER_SECONDS
    assert {one["state"] for one in outside.deliveries(alive)} <= {"pending", "delivered"}
    assert {one["state"] for one in outside.deliveries(dead)} == {"pending"}
    assert 8 <= held <= 8 * waves, "so many at a time, and no more"


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://10.0.0.1/", "https://localhost.:8443/", "https://x@h/"]
)
def test_a_url_that_leads_inside_is_refused_with_its_field(outside: Outside, url: str) -> None:
    problem = outside.call("POST", "", 422, {"url": url})

    assert [error["pointer"] for error in problem["errors"]] == ["/url"]
