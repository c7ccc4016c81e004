"""Originals are served whole or in part, as files that a browser saves and never runs."""

import random
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.api.documents.senders import chunks
from tests.integration.serving import Tenant, World
from tests.waiting import wait_until

CONTENT = b"".join(chunks(1_000_003))
SHORT = "A short text: ä."
KINDS = {"stored": ("text/html", CONTENT), "inline": ("application/json", SHORT.encode())}


@pytest.fixture(params=KINDS)
def stored(request: pytest.FixtureRequest, world: World) -> Iterator[tuple[httpx.Client, str, bytes]]:
    """A document in the object store, and one whose text is in its row."""
    kind, content = KINDS[request.param]
    with world.http(world.tenant()) as http:
        body = f'{{"text": "{SHORT}"}}'.encode() if request.param == "inline" else content
        http.put("/api/documents/a/b", content=body, headers={"content-type": kind}).raise_for_status()
        yield http, "/api/documents/a%2Fb/content", content


def test_any_range_is_what_the_content_has_there(stored: tuple[httpx.Client, str, bytes]) -> None:
    http, address, content = stored
    dice = random.Random(4711)
    size = len(content)
    for _ in range(60):
        first = dice.choice((0, size - 1, dice.randrange(size), 65_535, 65_536, 65_537))
        last = dice.choice((first, first + dice.randrange(200_000), size, size - 1))
        answer = http.get(address, headers={"range": f"bytes={first}-{last}"})
        if last < first:
            assert (answer.status_code, answer.content) == (200, content)
        elif first >= size:
            assert answer.status_code == 416
            assert answer.headers["content-range"] == f"bytes */{size}"
        else:
            end = min(last, size - 1)
            assert answer.status_code == 206
            assert answer.headers["content-range"] == f"bytes {first}-{end}/{size}"
            assert answer.content == content[first : end + 1]


def test_a_range_of_another_state_gets_the_whole(stored: tuple[httpx.Client, str, bytes]) -> None:
    http, address, content = stored
    etag = http.head(address).headers["etag"]

    fresh = http.get(address, headers={"range": "bytes=1-2", "if-range": etag})
    stale = http.get(address, headers={"range": "bytes=1-2", "if-range": '"another"'})
    several = http.get(address, headers={"range": "bytes=1-2,4-5"})
    known = http.get(address, headers={"range": "bytes=1-2", "if-none-match": etag})

    assert (fresh.status_code, fresh.content) == (206, content[1:3])
    assert (stale.status_code, stale.content) == (200, content)
    assert (several.status_code, several.content) == (200, content)
    assert (known.status_code, known.content) == (304, b"")


def test_head_says_what_get_would_and_knows_no_range(stored: tuple[httpx.Client, str, bytes]) -> None:
    http, address, content = stored

    asked = http.head(address, headers={"range": "bytes=0-0"})

    assert asked.status_code == 200
    assert asked.headers["content-length"] == str(len(content))
    assert asked.headers["accept-ranges"] == "bytes"


def test_no_browser_runs_a_stored_page(world: World) -> None:
    page = b"<script>fetch('/api/api-keys')</script>"
    with world.http(world.tenant()) as http:
        named = {"content-type": "text/html", "content-disposition": 'attachment; filename="a\\"; x=.html"'}
        http.put("/api/documents/page", content=page, headers=named).raise_for_status()
        answer = http.get("/api/documents/page/content")

    assert answer.content == page
    assert answer.headers["content-disposition"].startswith('attachment; filename="a__ x=.html"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_each_version_keeps_its_content(world: World) -> None:
    with world.http(world.tenant()) as http:
        for number in range(3):
            http.put("/api/documents/a", content=b"%d" % number, headers={"content-type": "text/plain"})
        contents = [http.get("/api/documents/a/content", params={"version": number}).content for number in (1, 2, 3)]
        missing = http.get("/api/documents/a/content", params={"version": 4})
        listed = http.get("/api/documents/a/versions", params={"limit": 2}).json()
        rest = http.get("/api/documents/a/versions", params={"limit": 2, "cursor": listed["next_cursor"]}).json()

    assert contents == [b"0", b"1", b"2"]
    assert missing.status_code == 404
    assert [one["version"] for one in (*listed["versions"], *rest["versions"])] == [3, 2, 1]
    assert rest["next_cursor"] is None


def test_an_id_may_end_like_the_address_of_a_part(world: World) -> None:
    ids = ["a", "a/versions", "a/versions/1", "a/content", "batch", "a/b/text", "x:y@z~.-_"]
    with world.http(world.tenant()) as http:
        for one in ids:
            encoded = one.replace("/", "%2F")
            http.put(f"/api/documents/{encoded}", json={"text": one}).raise_for_status()
        for one in ids:
            encoded = one.replace("/", "%2F")
            assert http.get(f"/api/documents/{encoded}").json()["id"] == one
            assert http.get(f"/api/documents/{encoded}/content").text == one
        assert http.get("/api/documents/a/versions").json()["versions"][0]["version"] == 1
        assert http.get("/api/documents/a/versions/1").json()["version"] == 1
        assert http.get("/api/documents/a/content").text == "a"
        assert http.get("/api/documents/x:y@z~.-_/content").text == "x:y@z~.-_"
        assert http.get("/api/documents/a%252Fcontent").status_code == 404
        assert http.get("/api/documents/%FF").status_code == 404
        assert http.put("/api/documents/a%20b", json={"text": "x"}).json()["errors"][0]["pointer"] == "/path/id"


def test_a_download_ends_with_its_readers_key(world: World) -> None:
    tenant = world.tenant()
    reader = world.another_key(tenant.id)
    size = 30_000_000
    with world.http(tenant) as http:
        http.put("/api/documents/a", content=chunks(size), headers={"content-type": "text/plain"}).raise_for_status()
    with world.http(reader) as reading, reading.stream("GET", "/api/documents/a/content") as answer:
        parts = answer.iter_raw()
        received = [len(next(parts))]
        with world.http(tenant) as http:
            http.delete(f"/api/api-keys/{reader.key_id}").raise_for_status()
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(map(len, parts))

    assert sum(received) < size


def test_a_download_ends_when_its_reader_leaves(world: World) -> None:
    tenant: Tenant = world.tenant()
    with world.http(tenant) as http:
        http.put("/api/documents/a", content=chunks(30_000_000), headers={"content-type": "text/plain"})
        with http.stream("GET", "/api/documents/a/content") as answer:
            next(answer.iter_raw())
            wait_until(lambda: world.under_way == 1, "only the download is under way")

    wait_until(lambda: world.under_way == 0, "nothing is read any more")


def test_what_is_known_is_not_sent_again(world: World) -> None:
    with world.http(world.tenant()) as http:
        http.put("/api/documents/a", json={"text": "words"}).raise_for_status()
        for address in ("", "/a", "/a/versions", "/a/versions/1", "/a/content", "/a/facts", "/a/jobs"):
            first = http.get(f"/api/documents{address}")
            again = http.get(f"/api/documents{address}", headers={"if-none-match": first.headers["etag"]})
            assert (first.status_code, again.status_code, again.content) == (200, 304, b""), address
