"""Read tokens: one job, for a short time, as long as the key behind them stands."""

import logging
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import described
from api.auth.read_tokens import PREFIX, ReadToken, ReadTokens
from api.http.cursors import signing_key
from monitoring.logs.logging import formatter
from tests.integration.event_streams import follow
from tests.integration.serving import PROCESS, Tenant, World
from tests.integration.websockets import watcher
from tests.waiting import wait_until

OPENED = ("", "/timeline", "/why", "/result")


def test_a_token_opens_its_job_and_nothing_else(world: World) -> None:
    tenant = world.tenant()
    job_id, other = world.submit(tenant), world.submit(tenant)
    world.succeed(job_id, {"pages": 3})
    holder = _holder(world, tenant, job_id)
    with world.http(holder) as http:
        opened = {part: http.get(f"/api/jobs/{job_id}{part}").status_code for part in OPENED}
        foreign = {part: http.get(f"/api/jobs/{other}{part}").status_code for part in (*OPENED, "/events")}
        elsewhere = [
            http.request(one.method, one.path.replace("{id}", str(job_id)), json={}).status_code
            for one in described()
            if one.scope is not None and not one.for_watchers
        ]
    assert set(opened.values()) == {200}, opened
    assert set(foreign.values()) == {404}, foreign
    assert {f"/api/jobs/{{id}}{part}" for part in foreign} == {one.path for one in described() if one.for_watchers}
    assert set(elsewhere) == {403}
    assert [heard.event.type for heard in follow(world, holder, f"/api/jobs/{job_id}/events")] == [
        "job.queued",
        "job.succeeded",
    ]


def test_an_event_source_shows_it_in_the_address_where_no_key_may_stand(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    world.succeed(job_id, {})
    holder = _holder(world, tenant, job_id)
    with world.http() as http, caplog.at_level(logging.DEBUG):
        told = http.get(f"/api/jobs/{job_id}/events", params={"token": holder.key})
        key = http.get(f"/api/jobs/{job_id}/events", params={"token": tenant.key})
        elsewhere = http.get(f"/api/jobs/{job_id}", params={"token": holder.key})

    assert (told.status_code, told.text.count("data: ")) == (200, 2)
    assert (key.status_code, elsewhere.status_code) == (401, 401)
    # The test's own client logs addresses; the server's access log is off, and would be written without queries.
    elsewhere_logged = [one for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]
    written = [formatter("json").format(record) for record in elsewhere_logged]
    assert not [line for line in written if holder.key in line or tenant.key in line]


def test_a_browser_watches_with_it(world: World) -> None:
    tenant = world.tenant()
    job_id, other = world.submit(tenant), world.submit(tenant)
    with watcher(world) as watching:
        watching.say(authenticate=_holder(world, tenant, job_id).key)
        watching.say(subscribe={"job": str(other)})
        watching.say(subscribe={"types": "*"})
        heard = watching.hear_until(lambda message: message.get("about") == {"types": "*"})
        watching.say(subscribe={"job": str(job_id)})
        heard += watching.hear_until(lambda message: "event" in message)

    problems = {message["problem"]["type"].rpartition("/")[2] for message in heard if "problem" in message}
    assert problems <= {"not-found", "read-token-only-watches"}
    assert heard[-1]["event"]["subject"] == str(job_id)


def test_it_ends_with_the_key_that_asked_for_it(world: World) -> None:
    tenant = world.tenant()
    key = world.another_key(tenant.id, "jobs:read")
    job_id = world.submit(tenant)
    holder = _holder(world, key, job_id)
    with world.http(holder) as http, world.http(tenant) as admin:
        assert http.get(f"/api/jobs/{job_id}").status_code == 200
        admin.delete(f"/api/api-keys/{key.key_id}")
        wait_until(lambda: http.get(f"/api/jobs/{job_id}").status_code == 401, "the token opens nothing")


def test_it_ends_with_its_time_under_a_reader_too(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    short = ReadToken(tenant.id, job_id, tenant.key_id, int(time.time()) + 3)
    token = ReadTokens(signing_key(world.settings)).sign(short)
    following = follow(world, Tenant(tenant.id, tenant.key_id, token), f"/api/jobs/{job_id}/events")
    next(following)
    assert list(following) == []


def test_nobody_makes_one_for_somebody_elses_job_or_for_long(world: World) -> None:
    owner = world.tenant()
    job_id = world.submit(owner)
    with world.http(world.tenant()) as stranger, world.http(owner) as http:
        assert stranger.post(f"/api/jobs/{job_id}/token").status_code == 404
        assert http.post(f"/api/jobs/{job_id}/token", json={"ttl_seconds": 3_601}).status_code == 422
    with world.http(world.another_key(owner.id, "jobs:write")) as writer:
        assert writer.post(f"/api/jobs/{job_id}/token").status_code == 403
        assert writer.post(PROCESS, json={"title": "T", "text": "words"}).status_code == 202


TOKENS = st.builds(
    ReadToken,
    tenant_id=st.uuids(),
    job_id=st.uuids(),
    key_id=st.text("abcXYZ019", max_size=12),
    expires_at=st.integers(1, 2**40),
)


@given(TOKENS, st.integers(0, 200))
def test_what_was_signed_is_read_back_and_what_was_changed_is_not(token: ReadToken, at: int) -> None:
    tokens = ReadTokens(b"key")
    text = tokens.sign(token)
    position = len(PREFIX) + at % (len(text) - len(PREFIX) - 1)
    changed = text[:position] + ("A" if text[position] != "A" else "B") + text[position + 1 :]

    assert tokens.read(text, token.expires_at - 1) == token
    assert tokens.read(text, token.expires_at) is None
    assert tokens.read(changed, 0) is None
    assert ReadTokens(b"other").read(text, 0) is None


@given(st.text(max_size=60))
def test_what_was_never_signed_is_no_token(text: str) -> None:
    assert ReadTokens(b"key").read(PREFIX + text, 0) is None


def _holder(world: World, tenant: Tenant, job_id: UUID) -> Tenant:
    with world.http(tenant) as http:
        made = http.post(f"/api/jobs/{job_id}/token")
    assert made.status_code == 201, made.text
    return Tenant(tenant.id, tenant.key_id, made.json()["token"])
