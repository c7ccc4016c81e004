"""Uploads that end before their end: nothing is left of them, and a clear problem says why."""

from collections.abc import Callable

import httpx
import pytest

from infrastructure.settings import Settings
from tests.integration.api.documents.senders import answer_of, chunks, head, objects_in, sending
from tests.integration.serving import Tenant, World
from tests.waiting import wait_until

ANNOUNCED = 10_000_000
BEGUN = b"x" * 1_000_000


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(
        update={
            "max_upload_bytes": ANNOUNCED,
            "max_uploads": 3,
            "max_uploads_per_tenant": 2,
            "upload_idle_seconds": 5.0,
        }
    )


def _begun(world: World) -> None:
    wait_until(lambda: any(file.stat().st_size > 100_000 for file in objects_in(world.settings)), "it is being written")


def _nothing_is_left(world: World) -> None:
    wait_until(lambda: objects_in(world.settings) == [], "its object is gone")
    wait_until(lambda: world.under_way == 0, "its request has ended")
    assert (world.stored()["documents"], world.stored()["jobs"]) == (0, 0)


def test_a_client_that_leaves_leaves_nothing(world: World) -> None:
    with sending(world.port, head(world.tenant(), content_length=str(ANNOUNCED)), BEGUN):
        _begun(world)

    _nothing_is_left(world)


def test_an_upload_that_comes_to_a_standstill_is_told_so(world: World) -> None:
    with sending(world.port, head(world.tenant(), content_length=str(ANNOUNCED)), BEGUN) as connection:
        answer = answer_of(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"/upload-stalled" in answer
    _nothing_is_left(world)


def _revoked_here(world: World, tenant: Tenant, falling: Tenant) -> None:
    with world.http(tenant) as http:
        assert http.delete(f"/api/api-keys/{falling.key_id}").status_code == 204


def _revoked_elsewhere(world: World, tenant: Tenant, falling: Tenant) -> None:
    world.database.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (falling.key_id,))


@pytest.mark.parametrize("revoke", [_revoked_here, _revoked_elsewhere])
def test_a_key_that_is_revoked_meanwhile_stores_nothing(
    world: World, revoke: Callable[[World, Tenant, Tenant], None]
) -> None:
    tenant = world.tenant()
    falling = world.another_key(tenant.id)
    with sending(world.port, head(falling, content_length=str(ANNOUNCED)), BEGUN) as connection:
        _begun(world)
        revoke(world, tenant, falling)
        answer = answer_of(connection)

    assert answer.startswith(b"HTTP/1.1 401 ")
    _nothing_is_left(world)


def test_a_tenant_that_is_suspended_meanwhile_stores_nothing(world: World) -> None:
    tenant = world.tenant()
    with sending(world.port, head(tenant, content_length=str(len(BEGUN) + 1), connection="close"), BEGUN) as connection:
        _begun(world)
        world.database.execute("UPDATE tenants SET state = 'suspended' WHERE id = %s", (tenant.id,))
        connection.sendall(b"x")
        answer = answer_of(connection)

    assert b"/tenant-suspended" in answer
    _nothing_is_left(world)


def test_what_can_not_be_accepted_is_refused_before_the_client_is_told_to_go_on(world: World) -> None:
    """With `Expect: 100-continue` a client learns it without having sent the file."""
    tenant = world.tenant()
    reader = world.another_key(tenant.id, "documents:read")
    world.database.execute("INSERT INTO tenant_limits (tenant_id, stored_bytes) VALUES (%s, 1000)", (tenant.id,))
    refused = {
        b" 413 ": head(tenant, content_length=str(ANNOUNCED + 1), expect="100-continue"),
        b" 409 ": head(tenant, content_length="5000", expect="100-continue"),
        b" 403 ": head(reader, content_length="5000", expect="100-continue"),
        b" 415 ": head(tenant, content_length="50", expect="100-continue", content_encoding="gzip"),
        b" 412 ": head(tenant, "/api/documents/a", "PUT", content_length="50", expect="100-continue", if_match="*"),
    }

    for status, request in refused.items():
        with sending(world.port, request) as connection:
            answer = answer_of(connection)
        assert answer.startswith(b"HTTP/1.1" + status), answer
        assert b"100 Continue" not in answer

    with sending(world.port, head(tenant, content_length="5", expect="100-continue", connection="close")) as connection:
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"words")
        assert answer_of(connection).startswith(b"HTTP/1.1 202 ")


def test_there_is_room_for_so_many_uploads_of_a_tenant_and_of_all(world: World) -> None:
    one, other = world.tenant(), world.tenant()
    upload = head(one, content_length=str(ANNOUNCED))
    with sending(world.port, upload, BEGUN), sending(world.port, upload, BEGUN):
        wait_until(lambda: len(objects_in(world.settings)) == 2, "two are being written")
        of_tenant = _tried(world, one)
        with sending(world.port, head(other, content_length=str(ANNOUNCED)), BEGUN):
            wait_until(lambda: len(objects_in(world.settings)) == 3, "three are being written")
            of_all = _tried(world, other)
        with world.http(one) as http:
            as_text = http.post("/api/documents", json={"text": "A text needs no place."})
    wait_until(lambda: objects_in(world.settings) == [], "their places are free")
    again = _tried(world, one)

    assert (of_tenant.status_code, of_all.status_code, again.status_code) == (429, 503, 202)
    assert of_tenant.headers["retry-after"] == of_all.headers["retry-after"] == "1"
    assert as_text.status_code == 202


def _tried(world: World, tenant: Tenant) -> httpx.Response:
    with world.http(tenant) as http:
        return http.post("/api/documents", content=b"words", headers={"content-type": "text/plain"})


def test_a_refused_client_that_goes_on_sending_reads_why(world: World) -> None:
    reader = world.tenant("documents:read")
    with world.http(reader) as http:
        answer = http.post("/api/documents", content=chunks(8_000_000), headers={"content-type": "text/plain"})

    assert answer.json()["type"].endswith("/scope-missing")
    assert answer.headers["connection"] == "close"
