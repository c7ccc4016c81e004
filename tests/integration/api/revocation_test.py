"""A key that falls while its holder waits for an answer or follows a stream: it learns nothing of what happens after."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from infrastructure.object_store.files import FileStore
from infrastructure.object_store.places import result_place
from tests.integration.event_streams import await_subscribers, follow
from tests.integration.serving import DOCUMENT, PROCESS, Tenant, World
from tests.integration.websockets import watcher
from tests.waiting import wait_until

WAIT = {"prefer": "wait=30"}
SOON_SECONDS = 25.0
"""Before the wait is over, on the busiest machine."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A tenant, and another key of its own that is about to fall."""

    world: World
    tenant: Tenant
    falling: Tenant

    def revoke_here(self) -> None:
        with self.world.http(self.tenant) as http:
            assert http.delete(f"/api/api-keys/{self.falling.key_id}").status_code == 204

    def revoke_elsewhere(self) -> None:
        self.world.database.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (self.falling.key_id,))


@pytest.fixture
def owner(world: World) -> Owner:
    tenant = world.tenant()
    return Owner(world, tenant, world.another_key(tenant.id))


@pytest.fixture(params=["here", "elsewhere"])
def revoke(request: pytest.FixtureRequest, owner: Owner) -> Callable[[], None]:
    """By the ingress that is being asked, and by another one."""
    return owner.revoke_here if request.param == "here" else owner.revoke_elsewhere


def test_whoever_waits_for_a_job_or_batch_learns_nothing_of_it(owner: Owner, revoke: Callable[[], None]) -> None:
    world = owner.world
    job_id = world.submit(owner.tenant)
    batch_id, (in_batch,) = world.submit_batch(owner.tenant, {})
    with ThreadPoolExecutor(2) as threads:
        waiting = [
            threads.submit(_ask, owner, "GET", path) for path in (f"/api/jobs/{job_id}", f"/api/batches/{batch_id}")
        ]
        wait_until(lambda: world.under_way == 2, "both wait")
        revoke()
        answers = [one.result(timeout=SOON_SECONDS) for one in waiting]
        world.succeed(job_id, {"secret": "Zyzzyva4711"})
        world.succeed(in_batch, {})

    assert [answer.status_code for answer in answers] == [401, 401]


def test_who_submitted_and_waits_hears_that_the_job_is_kept_and_no_more(
    owner: Owner, revoke: Callable[[], None]
) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(_ask, owner, "POST", PROCESS, DOCUMENT)
        wait_until(lambda: owner.world.stored()["jobs"] == 1 and owner.world.under_way == 1, "it waits")
        revoke()
        answer = waiting.result(timeout=SOON_SECONDS)
        owner.world.succeed(UUID(answer.json()["id"]), {"secret": "Zyzzyva4711"})

    assert (answer.status_code, answer.json()["state"]) == (202, "queued")


def test_a_group_gives_nothing_to_who_waits_with_a_key_that_fell(owner: Owner, revoke: Callable[[], None]) -> None:
    world = owner.world
    with world.http(owner.tenant) as http:
        assert http.put("/api/groups/g", json={"types": ["*"]}).status_code == 200
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(_ask, owner, "POST", "/api/groups/g/take", {})
        wait_until(lambda: world.under_way == 1, "it waits")
        revoke()
        answer = waiting.result(timeout=SOON_SECONDS)
        world.submit(owner.tenant)
        with world.http(owner.tenant) as http:
            taken = http.post("/api/groups/g/take", json={}, headers=WAIT)

    assert answer.status_code == 401
    assert len(taken.json()["events"]) == 1, "nothing was leased to the one that fell"


def test_a_stream_ends_before_anything_more_is_told(owner: Owner, revoke: Callable[[], None]) -> None:
    world = owner.world
    with ThreadPoolExecutor(1) as threads:
        following: Future[list[object]] = threads.submit(lambda: list(follow(world, owner.falling, "/api/events")))
        await_subscribers(world, 1)
        first = world.submit(owner.tenant)
        revoke()
        told = following.result(timeout=SOON_SECONDS)
        world.succeed(first, {})

    assert len(told) <= 1


def test_a_socket_ends_before_anything_more_is_told(owner: Owner, revoke: Callable[[], None]) -> None:
    with watcher(owner.world, owner.falling) as watching:
        watching.say(subscribe={"types": "*"})
        assert watching.hear() == {"subscribed": {"types": "*"}}
        revoke()
        assert watching.closed(timeout_seconds=SOON_SECONDS)[0] == 4401


def test_a_key_that_falls_while_its_request_arrives_does_nothing(
    owner: Owner, revoke: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.dispatch.SLOW_BODY_SECONDS", 0.1)
    monkeypatch.setattr("api.auth.authentication.FRESH_SECONDS", 0.1)
    world = owner.world

    def slow_body() -> Iterator[bytes]:
        yield b'{"title": "T", '
        wait_until(lambda: world.under_way == 1, "the request is under way")
        revoke()
        known = world.now()
        wait_until(lambda: (world.now() - known).total_seconds() > 0.2, "what was known of the key is old")
        yield b'"text": "words"}'

    before = world.stored()["jobs"]
    with world.http(owner.falling) as http:
        answer = http.post(PROCESS, content=slow_body(), headers={"content-type": "application/json"})

    assert answer.status_code == 401
    assert world.stored()["jobs"] == before


def test_a_download_ends_soon_after_the_key_falls(owner: Owner, revoke: Callable[[], None]) -> None:
    world = owner.world
    job_id = world.submit(owner.tenant)
    size = 100_000_000
    key = result_place(owner.tenant.id, job_id, job_id)
    asyncio.run(FileStore(world.settings.bucatini_home / "objects").put(key, b" " * size))
    world.database.execute("INSERT INTO job_objects VALUES (%s, %s, %s, %s)", (job_id, owner.tenant.id, key, size))
    with world.http(owner.falling) as http, http.stream("GET", f"/api/jobs/{job_id}/result") as stream:
        revoke()
        wait_until(lambda: http.get("/api/jobs").status_code == 401, "the key has fallen")
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            stream.read()


def _ask(owner: Owner, method: str, path: str, body: object = None) -> httpx.Response:
    with owner.world.http(owner.falling) as http:
        return http.request(method, path, json=body, headers=WAIT)
