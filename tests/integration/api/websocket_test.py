"""WebSockets: many subjects on one connection, complete and in order, and nobody holds the ingress's memory."""

import gc
import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID, uuid4

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api.streams.encoding import Announced
from infrastructure.settings import Settings
from schemas.jobs import JobState
from tests.integration.event_streams import await_subscriptions, many_events, metric
from tests.integration.serving import World
from tests.integration.websockets import Message, Watcher, address, frame, unread, watcher
from tests.waiting import GUARD_SECONDS, wait_until


def test_many_jobs_are_told_on_one_connection_each_to_its_end(world: World) -> None:
    tenant = world.tenant()
    jobs = [world.submit(tenant) for _ in range(20)]
    with watcher(world, tenant) as watching:
        for job_id in jobs:
            watching.say(subscribe={"job": str(job_id)})
        await_subscriptions(20)
        for job_id in jobs:
            world.happen(job_id, "job.started", state=JobState.RUNNING)
            world.succeed(job_id, {"title": "Zeile\u2028Ende"})
        heard: list[Message] = []
        while sum("ended" in message for message in heard) < 20:
            heard.append(watching.hear())

    for job_id in jobs:
        mine = [message for message in heard if message.get("job") == str(job_id)]
        assert [message["event"]["type"] for message in mine] == ["job.queued", "job.started", "job.succeeded"]
        assert [message["after"] for message in mine] == [1, 2, 3]


def test_a_watcher_whose_connection_breaks_resumes_without_loss_or_repeat(world: World) -> None:
    tenant = world.tenant()
    dice = random.Random(4711)
    job_id = world.submit(tenant)
    heard: list[Message] = []
    after: str | None = None
    seq = 0
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(_happen_often, world, job_id, 150)
        while not (heard and heard[-1]["after"] == 151):
            with watcher(world, tenant) as watching:
                watching.say(subscribe={"types": "job.*", "after": after})
                watching.say(subscribe={"job": str(job_id), "after": seq})
                for _ in range(dice.randint(3, 30)):
                    message = watching.hear()
                    assert "problem" not in message, message
                    if "types" in message:
                        after = message["after"]
                    elif "job" in message:
                        heard.append(message)
                        seq = message["after"]
                        if seq == 151:
                            break
        writing.result(timeout=GUARD_SECONDS)

    assert [message["after"] for message in heard] == list(range(1, 152))


def test_a_types_place_resumes_where_it_was_told(world: World) -> None:
    tenant = world.tenant()
    with watcher(world, tenant) as watching:
        begin = _begin(watching, "job.ret*")
        job_id = world.submit(tenant)
        many_events(world, tenant, job_id, 600)
        first = [watching.hear() for _ in range(100)]
    with watcher(world, tenant) as watching:
        watching.say(subscribe={"types": "job.ret*", "after": first[-1]["after"]})
        rest = [one for one in (watching.hear() for _ in range(501)) if "event" in one]
    with watcher(world, tenant) as watching:
        watching.say(subscribe={"types": "job.ret*", "after": begin})
        again = [one for one in (watching.hear() for _ in range(601)) if "event" in one]

    assert [_seq(one) for one in first + rest] == list(range(2, 602))
    assert [_seq(one) for one in again] == list(range(2, 602))


def test_a_browser_says_its_key_in_the_first_message(world: World) -> None:
    tenant = world.tenant()
    with watcher(world, origin=world.url) as watching:
        watching.say(authenticate=tenant.key)
        assert watching.hear() == {"authenticated": True}
        watching.say(ping="still there?")
        assert watching.hear() == {"pong": "still there?"}
        watching.say(authenticate=tenant.key)
        assert _problem(watching.hear()) == "already-authenticated"


def test_who_doesnt_say_who_they_are_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.websocket.AUTHENTICATION_SECONDS", 0.5)
    with watcher(world) as silent:
        assert silent.closed()[0] == 4408
    with watcher(world) as stranger:
        stranger.say(authenticate=f"bct_{'x' * 12}_{'y' * 43}")
        assert stranger.closed()[0] == 4401
    with watcher(world) as hasty:
        hasty.say(subscribe={"types": "*"})
        assert hasty.closed()[0] == 4401
    with watcher(world) as unfit:
        unfit.say(authenticate=world.tenant("search:read").key)
        assert unfit.closed()[0] == 4403


def test_a_handshake_that_cant_be_is_answered_as_any_request(world: World) -> None:
    tenant = world.tenant()
    refused = {
        401: {"authorization": "Bearer nobody"},
        403: {"authorization": f"Bearer {world.tenant('search:read').key}"},
    }
    for status, headers in refused.items():
        with pytest.raises(InvalidStatus) as caught, watcher(world, None, **headers):
            pass
        assert caught.value.response.status_code == status
        assert caught.value.response.headers["content-type"] == "application/problem+json"
    with pytest.raises(InvalidStatus) as foreign, watcher(world, tenant, origin="https://elsewhere.example"):
        pass
    assert b"origin-not-allowed" in foreign.value.response.body


def test_what_a_handshake_has_in_its_address_is_never_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    tenant = world.tenant()
    before = metric("bucatini_sockets")
    with (
        caplog.at_level(logging.INFO),  # No library logs below, whatever LOG_LEVEL says.
        connect(f"{address(world)}?key={tenant.key}", additional_headers=tenant.headers, proxy=None),
    ):
        wait_until(lambda: metric("bucatini_sockets") == before + 1, "it is open")
    wait_until(lambda: metric("bucatini_sockets") == before, "it is closed")

    # The test's own client logs what it sends.
    logged = [one.getMessage() for one in caplog.records if not one.name.startswith("websockets")]
    assert not [message for message in logged if tenant.key in message]


def test_a_page_of_an_origin_that_is_named_may_connect(api_settings: Settings) -> None:
    named = Settings.model_validate({**dict(api_settings), "allowed_origins": "https://app.example, https://b.example"})
    with World(named) as world, watcher(world, world.tenant(), origin="https://b.example") as watching:
        watching.say(ping="")
        assert watching.hear() == {"pong": ""}


def test_a_watcher_sees_nothing_of_another_tenant(world: World) -> None:
    owner, stranger = world.tenant(), world.tenant()
    foreign = world.submit(owner)
    with watcher(world, stranger) as watching:
        watching.say(subscribe={"job": str(foreign)})
        assert _problem(watching.hear()) == "not-found"
        _begin(watching, "*")
        world.succeed(foreign, {})
        own = world.submit(stranger)
        assert watching.hear()["event"]["subject"] == str(own)


def test_what_cant_be_understood_is_refused_and_the_rest_goes_on(world: World) -> None:
    tenant = world.tenant()
    with watcher(world, tenant) as watching:
        for raw, name in (
            ("not json", "malformed-json"),
            ("[]", "not-a-request"),
            ('{"shout": 1}', "not-a-request"),
            ('{"ping": "a", "subscribe": {"types": "*"}}', "not-a-request"),
            ('{"subscribe": {"job": "x"}}', "invalid-fields"),
            ('{"subscribe": {"types": "*", "after": "never given"}}', "resume-token-invalid"),
            (f'{{"subscribe": {{"job": "{uuid4()}"}}}}', "not-found"),
            ("[" * 100 + "]" * 100, "json-too-deep"),
        ):
            watching.send(raw)
            assert _problem(watching.hear()) == name, raw
        _begin(watching, "*")
        watching.say(subscribe={"types": "*"})
        assert _problem(watching.hear()) == "already-subscribed"
        watching.say(unsubscribe={"types": "*"})
        assert watching.hear() == {"unsubscribed": {"types": "*"}}
        world.submit(tenant)
        watching.say(ping="the end")
        assert watching.hear() == {"pong": "the end"}
        watching.send(b"bytes")
        assert watching.closed()[0] == 1003
    with watcher(world, tenant) as watching:
        watching.say(ping="x" * 70_000)
        assert watching.closed()[0] == 1009


def test_a_connection_has_so_many_subscriptions_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.websocket.MAX_SUBSCRIPTIONS", 3)
    with watcher(world, world.tenant()) as watching:
        for pattern in ("a", "b", "c", "d"):
            watching.say(subscribe={"types": pattern})
        problems = watching.hear_until(lambda message: "problem" in message)
        assert problems[-1]["about"] == {"types": "d"}
        watching.say(unsubscribe={"types": "a"})
        watching.hear_until(lambda message: "unsubscribed" in message)
        watching.say(subscribe={"types": "d"})
        watching.hear_until(lambda message: message.get("subscribed") == {"types": "d"})


def test_one_tenant_cant_take_every_place_of_a_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.hub.MAX_OF_A_TENANT", 2)
    with watcher(world, world.tenant()) as watching:
        for pattern in ("a", "b", "c"):
            watching.say(subscribe={"types": pattern})
        refused = watching.hear_until(lambda message: "problem" in message)[-1]
    with watcher(world, world.tenant()) as other:
        _begin(other, "*")

    assert _problem(refused) == "overloaded"


def test_who_sends_too_much_is_read_more_slowly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.websocket.MESSAGES_AT_ONCE", 5)
    monkeypatch.setattr("api.streams.websocket.MESSAGES_PER_SECOND", 50.0)
    with watcher(world, world.tenant()) as watching:
        began = time.monotonic()
        for number in range(55):
            watching.say(ping=str(number))
        answers = [watching.hear()["pong"] for _ in range(55)]

    assert answers == [str(number) for number in range(55)]
    assert time.monotonic() - began > 0.9


def test_a_revoked_key_closes_its_sockets(world: World) -> None:
    tenant = world.tenant()
    other = world.another_key(tenant.id, "jobs:read")
    with watcher(world, other) as watching:
        _begin(watching, "*")
        with world.http(tenant) as http:
            http.delete(f"/api/api-keys/{other.key_id}")
        assert watching.closed() == (4401, "the key is no longer valid")


def test_a_stopping_ingress_says_that_it_restarts(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with watcher(world, tenant) as watching:
        _begin(watching, "*")
        watching.say(subscribe={"job": str(job_id)})
        watching.hear_until(lambda message: "job" in message)
        began = time.monotonic()
        world.stop()
        assert watching.closed()[0] == 1012
    assert time.monotonic() - began < 15, "sooner than requests under way are given up"


def test_a_watcher_who_never_reads_holds_little_and_harms_nobody(world: World) -> None:
    """100 subscriptions, and 4,000 events for two of them: the ingress holds no more of them than one watcher may."""
    tenant = world.tenant()
    job_id = world.submit(tenant)
    jobs = [world.submit(tenant) for _ in range(98)]
    behind_before = metric("bucatini_subscribers_fell_behind_total")
    with closing(unread(world, tenant)) as lazy, watcher(world, tenant) as diligent:
        for subject in ({"types": "*"}, {"job": str(job_id)}, *({"job": str(one)} for one in jobs)):
            lazy.sendall(frame({"subscribe": subject}))
        await_subscriptions(100)
        _begin(diligent, "job.ret*")
        heard: list[int] = []
        for _ in range(20):
            many_events(world, tenant, job_id, 200, data="x" * 2_000)
            heard += [_seq(diligent.hear()) for _ in range(200)]
        fell_behind = metric("bucatini_subscribers_fell_behind_total") - behind_before
        held = sum(type(one) is Announced for one in gc.get_objects())

    assert heard == list(range(2, 4_002))
    assert fell_behind >= 1
    assert held < 1_500


def _begin(watching: Watcher, pattern: str) -> str:
    watching.say(subscribe={"types": pattern})
    assert watching.hear() == {"subscribed": {"types": pattern}}
    place: str = watching.hear()["after"]
    return place


def _happen_often(world: World, job_id: UUID, times: int) -> None:
    for _ in range(times):
        world.happen(job_id, "job.retrying")


def _problem(message: Message) -> str:
    return str(message["problem"]["type"]).rpartition("/")[2]


def _seq(message: Message) -> int:
    return int(message["event"]["id"].rpartition(":")[2])
