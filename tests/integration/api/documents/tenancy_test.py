"""What is a tenant's stays its own: no other reads it by anything it may have learned, and no file has it in the clear."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from infrastructure.settings import Settings
from tests.folders import files_under
from tests.integration.api.documents.senders import objects_in
from tests.integration.serving import Tenant, World
from tests.tenancy import limit_tenant

CANARY = b"canary-4711-never-in-the-clear"
AT_ONCE, FITTING = 50, 7
EACH_BYTES = 100_000


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(update={"max_uploads_per_tenant": AT_ONCE})


@pytest.fixture
def owned(world: World) -> tuple[Tenant, dict[str, Any]]:
    """A tenant with documents, and what is shown of one of them."""
    tenant = world.tenant()
    with world.http(tenant) as http:
        for number in range(3):
            http.put(f"/api/documents/a/{number}", content=CANARY, headers={"content-type": "text/plain"})
        return tenant, http.get("/api/documents/a/0").json()


def test_another_tenant_reads_nothing_by_any_address(world: World, owned: tuple[Tenant, dict[str, Any]]) -> None:
    _, document = owned
    with world.http(world.tenant()) as http:
        for part in ("", "/versions", "/versions/1", "/content", "/content?version=1", "/text", "/facts", "/jobs"):
            absent = http.get(f"/api/documents/not-there{part}")
            foreign = http.get(f"/api/documents/a/0{part}")
            assert (foreign.status_code, foreign.content) == (404, absent.content), part
        assert http.get(f"/api/jobs/{document['newest']['job_id']}").status_code == 404
        assert http.patch("/api/documents/a/0", json={"title": "mine"}).status_code == 404
        assert http.delete("/api/documents/a/0").status_code == 404
        assert http.get("/api/documents").json() == {"documents": [], "next_cursor": None}


def test_another_tenant_learns_nothing_by_a_digest_an_etag_or_a_place(
    world: World, owned: tuple[Tenant, dict[str, Any]]
) -> None:
    tenant, _ = owned
    with world.http(tenant) as http:
        etag = http.get("/api/documents/a/0").headers["etag"]
        content_etag = http.head("/api/documents/a/0/content").headers["etag"]
    (place, *_) = [str(one.relative_to(world.settings.bucatini_home / "objects")) for one in objects_in(world.settings)]
    with world.http(world.tenant()) as http:
        same = http.put("/api/documents/b", content=CANARY, headers={"content-type": "text/plain"})
        assert same.status_code == 202, "the same content is nothing known to this tenant"
        for known in (etag, content_etag):
            for part in ("", "/content"):
                assert http.get(f"/api/documents/a/0{part}", headers={"if-none-match": known}).status_code == 404
        matching = http.put("/api/documents/a/0", json={"text": "x"}, headers={"if-match": etag})
        assert matching.status_code == 412
        assert "etag" not in matching.headers
        for address in (place, place.replace("/", "%2F"), place.rsplit("/", 1)[-1]):
            assert http.get(f"/api/documents/{address}/content").status_code == 404


def test_a_cursor_is_valid_for_its_tenant_and_its_filters(world: World, owned: tuple[Tenant, dict[str, Any]]) -> None:
    tenant, _ = owned
    other = world.tenant()
    with world.http(tenant) as http:
        first = http.get("/api/documents", params={"limit": 1}).json()
        cursor = first["next_cursor"]
        rest = http.get("/api/documents", params={"cursor": cursor}).json()
        versions = http.get("/api/documents/a/0/versions", params={"cursor": cursor})
        filtered = http.get("/api/documents", params={"cursor": cursor, "document_type": "lease"})
        changed = http.get("/api/documents", params={"cursor": cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")})
    with world.http(other) as http:
        foreign = http.get("/api/documents", params={"cursor": cursor})

    assert [one["id"] for one in (*first["documents"], *rest["documents"])] == ["a/2", "a/1", "a/0"]
    assert [one.status_code for one in (filtered, changed, foreign)] == [400, 400, 400]
    assert versions.status_code in (400, 422)


def test_nothing_on_the_disk_is_in_the_clear(world: World) -> None:
    with world.http(world.tenant()) as http:
        http.put("/api/documents/short", json={"text": CANARY.decode()}).raise_for_status()
        http.put("/api/documents/long", content=CANARY * 10_000, headers={"content-type": "text/plain"})
        http.post("/api/documents", files={"file": ("a.txt", CANARY * 1_000)}, data={"id": "form"})
    (folder,) = world.database.execute("SHOW data_directory").fetchone() or ("",)
    world.database.execute("CHECKPOINT")

    assert len(objects_in(world.settings)) == 2
    assert [file for file in _files(world.settings, Path(folder)) if CANARY in _bytes_of(file)] == []


def _files(settings: Settings, database: Path) -> Iterator[Path]:
    for folder in (settings.bucatini_home, database):
        yield from files_under(folder)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""  # PostgreSQL has just removed it.


def test_a_quota_of_bytes_holds_under_fifty_uploads_at_once(world: World) -> None:
    tenant = world.tenant()
    limit = FITTING * (EACH_BYTES + 1_000)
    limit_tenant(world.settings, tenant.id, stored_bytes=limit)

    def upload(number: int) -> httpx.Response:
        with world.http(tenant) as http:
            return http.put(
                f"/api/documents/{number}", content=_content(number), headers={"content-type": "text/plain"}
            )

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(upload, range(AT_ONCE)))
    with world.http(tenant) as http:
        usage = {one["quota"]: one["used"] for one in http.get("/api/usage").json()["quotas"]}

    accepted = [one for one in answers if one.status_code == 202]
    assert len(accepted) == FITTING
    assert {one.json()["type"].rsplit("/", 1)[-1] for one in answers if one.status_code != 202} == {
        "too-many-stored-bytes"
    }
    assert FITTING * EACH_BYTES <= float(usage["stored_bytes"]) <= limit
    assert len(objects_in(world.settings)) == FITTING
    assert world.stored()["documents"] == FITTING


def _content(number: int) -> bytes:
    return (b"%04d" % number) * (EACH_BYTES // 4)
