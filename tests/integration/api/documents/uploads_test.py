"""Documents come in as JSON, as files and in forms, and are read back as they were sent."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

import httpx
import pytest

from infrastructure.settings import Settings
from tests.integration.api.documents.senders import objects_in
from tests.integration.serving import World

PAGE = b"<h1>Lease</h1>" * 20_000
DOCUMENTS = "/api/documents"


def test_a_text_a_file_and_a_form_are_read_back_as_they_were_sent(world: World) -> None:
    with world.http(world.tenant()) as http:
        http.post(DOCUMENTS, json={"id": "text", "text": "Grüße"}).raise_for_status()
        http.post(
            DOCUMENTS, params={"id": "file"}, content=PAGE, headers={"content-type": "text/html"}
        ).raise_for_status()
        http.post(DOCUMENTS, files={"file": ("a.html", PAGE, "text/html")}, data={"id": "form"}).raise_for_status()

        assert http.get(f"{DOCUMENTS}/text/content").content == "Grüße".encode()
        assert http.get(f"{DOCUMENTS}/file/content").content == PAGE
        assert http.get(f"{DOCUMENTS}/form/content").content == PAGE


def test_the_fields_of_a_form_come_before_or_after_its_file(world: World) -> None:
    fields = {"title": "Lease", "tags": ["a", "b"], "metadata": '{"floor": 3}', "language": "en"}
    with world.http(world.tenant()) as http:
        before = http.post(DOCUMENTS, data={"id": "1", **fields}, files={"file": ("a.txt", b"words")})
        after = http.post(DOCUMENTS, files=[("file", ("a.txt", b"words")), *_as_parts({"id": "2", **fields})])

    for answer in (before, after):
        document = answer.json()["document"]
        assert (document["title"], document["tags"], document["metadata"]) == ("Lease", ["a", "b"], {"floor": 3})


def _as_parts(fields: dict[str, Any]) -> list[tuple[str, tuple[None, str]]]:
    return [
        (name, (None, value))
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]


def test_a_file_is_described_in_the_query_and_named_in_its_header(world: World) -> None:
    headers = {"content-type": "text/plain", "content-disposition": "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt"}
    with world.http(world.tenant()) as http:
        answer = http.post(DOCUMENTS, params={"tags": "a, b", "industry": "law"}, content=b"words", headers=headers)
        document = answer.json()["document"]
        content = http.get(f"{answer.headers['location']}/content")

    assert (document["tags"], document["industry"], document["title"]) == (["a", "b"], "law", "Größe.txt")
    assert content.headers["content-disposition"].endswith("filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt")


@pytest.mark.parametrize(
    ("request_of", "pointer"),
    [
        ({"files": {"file": b"x"}, "data": {"titel": "T"}}, "/titel"),
        ({"files": {"file": b"x"}, "data": {"title": ["T", "T"]}}, "/title"),
        ({"files": {"file": b"x"}, "data": {"metadata": "{"}}, "/metadata"),
        ({"files": {"file": b"x"}, "data": {"id": "/a"}}, "/id"),
        ({"files": {"file": b"x"}, "data": {"language": "English"}}, "/language"),
        ({"files": {"other": b"x"}}, "/other"),
        ({"files": [("file", b"x"), ("file", b"y")]}, "/file"),
        ({"files": {"title": (None, "T")}}, "/file"),
        ({"files": {"file": b"x"}, "params": {"title": "T"}}, "/query/title"),
        ({"json": {"text": "x"}, "params": {"title": "T"}}, "/query/title"),
        ({"json": {"text": " "}}, "/text"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}, "params": {"titel": "T"}}, "/query/titel"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}, "params": {"tags": "a," * 60}}, "/query/tags"),
    ],
)
def test_what_can_not_be_taken_is_named_and_nothing_is_stored(
    world: World, request_of: dict[str, Any], pointer: str
) -> None:
    with world.http(world.tenant()) as http:
        answer = http.post(DOCUMENTS, **request_of)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (world.stored()["documents"], objects_in(world.settings)) == (0, [])


def test_an_upload_that_is_not_what_was_announced_is_refused(world: World) -> None:
    right = {"content-digest": f"sha-256=:{b64encode(sha256(PAGE).digest()).decode()}:", "content-type": "text/html"}
    wrong = {**right, "content-digest": f"sha-256=:{b64encode(sha256(b'').digest()).decode()}:"}
    with world.http(world.tenant()) as http:
        refused = http.post(DOCUMENTS, content=PAGE, headers=wrong)
        refused_text = http.post(DOCUMENTS, json={"text": "words"}, headers={"content-digest": wrong["content-digest"]})
        assert (world.stored()["documents"], objects_in(world.settings)) == (0, [])
        taken = http.post(DOCUMENTS, content=PAGE, headers=right)

    assert refused.json()["type"].endswith("/digest-mismatch")
    assert refused_text.json()["type"].endswith("/digest-mismatch")
    assert taken.json()["document"]["newest"]["digest"] == right["content-digest"]


def test_the_same_content_again_is_no_new_version_and_leaves_no_object(world: World) -> None:
    with world.http(world.tenant()) as http:
        first = http.put(f"{DOCUMENTS}/a", content=PAGE, headers={"content-type": "text/html"})
        again = http.put(f"{DOCUMENTS}/a", content=PAGE, headers={"content-type": "text/html"})
        objects = objects_in(world.settings)
        other = http.put(f"{DOCUMENTS}/a", content=PAGE + b"!", headers={"content-type": "text/html"})

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert again.json()["job"] is None
    assert again.headers["etag"] == first.headers["etag"]
    assert len(objects) == 1
    assert other.json()["document"]["version"] == 2


def test_an_idempotency_key_gives_the_first_answer_again(world: World) -> None:
    with world.http(world.tenant()) as http:
        key = {"idempotency-key": "once", "content-type": "text/html"}
        first = http.post(DOCUMENTS, content=PAGE, headers=key)
        again = http.post(DOCUMENTS, content=PAGE, headers=key)
        other = http.post(DOCUMENTS, content=PAGE + b"!", headers=key)

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["document"]["id"] == first.json()["document"]["id"]
    assert again.json()["job"]["id"] == first.json()["job"]["id"]
    assert other.json()["type"].endswith("/idempotency-key-reused")
    assert len(objects_in(world.settings)) == 1


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_version_is_stored_only_under_its_preconditions(world: World, kind: str) -> None:
    with world.http(world.tenant()) as http:

        def put(text: str, **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            content = f'{{"text": "{text}"}}' if kind == "application/json" else text
            return http.put(f"{DOCUMENTS}/a", content=content, headers={"content-type": kind, **named})

        missing = put("1", if_match="*")
        created = put("1", if_none_match="*")
        exists = put("2", if_none_match="*")
        changed = put("2", if_match=created.headers["etag"])
        stale = put("3", if_match=created.headers["etag"])
        malformed = put("3", if_match="3")

    answers = (missing, created, exists, changed, stale, malformed)
    assert [one.status_code for one in answers] == [412, 202, 412, 202, 412, 400]
    assert stale.headers["etag"] == changed.headers["etag"]


@pytest.mark.parametrize(
    ("field", "left"),
    [
        ("title", "a"),
        ("industry", None),
        ("language", None),
        ("document_type", "lease"),
        ("tags", ["a"]),
        ("metadata", {"a": 1}),
    ],
)
def test_a_change_to_null_empties_what_can_be_empty_and_leaves_the_rest(world: World, field: str, left: Any) -> None:
    said = {
        "title": "T",
        "document_type": "lease",
        "industry": "law",
        "language": "en",
        "tags": ["a"],
        "metadata": {"a": 1},
    }
    with world.http(world.tenant()) as http:
        http.put(f"{DOCUMENTS}/a", json={"text": "words", **said}).raise_for_status()
        changed = http.patch(f"{DOCUMENTS}/a", json={field: None})

    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in said} == {**said, field: left}


def test_json_in_a_charset_that_json_has_not_is_no_file_either(world: World) -> None:
    kind = {"content-type": "application/json; charset=utf-16"}
    with world.http(world.tenant()) as http:
        answer = http.post(DOCUMENTS, content='{"text": "words"}'.encode("utf-16"), headers=kind)

    assert answer.status_code == 415
    assert world.stored()["documents"] == 0


def test_many_files_are_accepted_as_a_batch_or_not_at_all(world: World) -> None:
    files = [("files", (f"{number}.txt", b"words %d" % number, "text/plain")) for number in range(20)]
    with world.http(world.tenant()) as http:
        refused = http.post(f"{DOCUMENTS}/batch", files=[*files, ("files", ("x", b""))])
        assert (world.stored()["documents"], objects_in(world.settings)) == (0, [])
        described = {"name": "May", "documents": '[{"id": "a/1", "title": "First"}]'}
        taken = http.post(f"{DOCUMENTS}/batch", files=files, data=described)
        batch = http.get(taken.headers["location"])
        first = http.get(f"{DOCUMENTS}/a/1")

    assert refused.json()["type"].endswith("/empty-upload")
    assert taken.status_code == 202, taken.text
    assert len(taken.json()["documents"]) == 20
    assert (batch.json()["name"], batch.json()["total"], batch.json()["state"]) == ("May", 20, "waiting")
    assert first.json()["title"] == "First"


def test_a_batch_of_texts_gives_its_first_answer_again(world: World) -> None:
    body = {"documents": [{"id": "a", "text": "one"}, {"text": "two"}, {"id": "a", "text": "three"}]}
    with world.http(world.tenant()) as http:
        first = http.post(f"{DOCUMENTS}/batch", json=body, headers={"idempotency-key": "once"})
        again = http.post(f"{DOCUMENTS}/batch", json=body, headers={"idempotency-key": "once"})

    assert [one["version"] for one in first.json()["documents"]] == [1, 1, 2]
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(update={"max_upload_bytes": 500_000})


def test_what_is_too_large_is_refused_before_and_while_it_arrives(world: World) -> None:
    kind = {"content-type": "text/plain"}
    with world.http(world.tenant()) as http:
        announced = http.post(DOCUMENTS, content=b"x" * 500_001, headers=kind)
        arriving = http.post(DOCUMENTS, content=(b"x" * 10_000 for _ in range(51)), headers=kind)
        in_a_form = http.post(DOCUMENTS, files={"file": b"x" * 500_001})
        taken = http.post(DOCUMENTS, content=b"x" * 500_000, headers=kind)

    assert [one.status_code for one in (announced, arriving, in_a_form, taken)] == [413, 413, 413, 202]
    assert len(objects_in(world.settings)) == 1
