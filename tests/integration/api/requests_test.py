"""Bad input of every kind gets a clear problem and stores nothing."""

import socket
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from infrastructure.local_stack.servers.loopback import free_port
from infrastructure.settings import Settings
from schemas.problems import Problem
from tests.integration.serving import DOCUMENT, PROCESS, ServedApi, World

JSON = {"content-type": "application/json"}
DEEP = b"[" * 150 + b"]" * 150
VERY_DEEP = b'{"a":' * 40_000 + b"1" + b"}" * 40_000
MARKER = "Zyzzyva4711"


def _with(field: str, value: bytes) -> bytes:
    return b'{"title": "T", "text": "Some words.", "%s": %s}' % (field.encode(), value)


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "malformed-json"),
    "half an object": (b'{"title": "T"', 400, "malformed-json"),
    "text after the object": (orjson.dumps(DOCUMENT) + b"x", 400, "malformed-json"),
    "a byte order mark": (b"\xef\xbb\xbf" + orjson.dumps(DOCUMENT), 400, "malformed-json"),
    "a comment": (b'{"title": "T", /* */ "text": "x"}', 400, "malformed-json"),
    "a name twice": (b'{"title": "a", "title": "b", "text": "x"}', 400, "malformed-json"),
    "NaN": (_with("document_id", b"NaN"), 400, "malformed-json"),
    "Infinity": (_with("document_id", b"-Infinity"), 400, "malformed-json"),
    "half a surrogate pair": (_with("document_id", b'"\\ud800"'), 400, "malformed-json"),
    "the other half": (_with("document_id", b'"\\udc00x"'), 400, "malformed-json"),
    "no UTF-8": (_with("document_id", b'"\xff\xfe"'), 400, "malformed-json"),
    "a raw control character": (_with("document_id", b'"\x01"'), 400, "malformed-json"),
    "deep nesting": (DEEP, 400, "json-too-deep"),
    "very deep nesting": (VERY_DEEP[:90_000], 400, "json-too-deep"),
    "a list": (b"[]", 422, "invalid-fields"),
    "null": (b"null", 422, "invalid-fields"),
    "a text": (b'"x"', 422, "invalid-fields"),
    "a null character": (_with("document_id", b'"a\\u0000b"'), 422, "invalid-fields"),
    "a null character in a name": (b'{"title": "T", "text": "x", "a\\u0000": 1}', 422, "invalid-fields"),
    "a huge number": (_with("document_id", b"9" * 400), 422, "invalid-fields"),
    "a number of 10,000 digits": (_with("document_id", b"9" * 10_000), 400, "malformed-json"),
    "a number beyond a double": (_with("document_id", b"1e999"), 422, "invalid-fields"),
    "a missing field": (b'{"title": "T"}', 422, "invalid-fields"),
    "an unknown field": (_with("tittle", b'"x"'), 422, "invalid-fields"),
    "a number for a text": (_with("document_id", b"5"), 422, "invalid-fields"),
    "an object for a text": (_with("document_id", b'{"a": 1}'), 422, "invalid-fields"),
    "a text too long": (_with("document_type", b'"%s"' % (b"x" * 5_000)), 422, "invalid-fields"),
}


def test_a_bad_body_of_any_kind_gets_a_problem_and_stores_nothing(world: World) -> None:
    tenant = world.tenant()
    before = world.stored()
    with world.http(tenant) as http:
        answers = {name: http.post(PROCESS, content=body, headers=JSON) for name, (body, _, _) in BODIES.items()}

    expected = {name: (status, problem) for name, (_, status, problem) in BODIES.items()}
    assert {name: (answer.status_code, _problem(answer).name) for name, answer in answers.items()} == expected
    assert {answer.headers["content-type"] for answer in answers.values()} == {"application/problem+json"}
    assert world.stored() == before


def test_a_problem_names_the_place_and_never_repeats_what_was_sent(world: World) -> None:
    secret = {"op": "all_of", "clauses": [{"op": MARKER, "text": MARKER}]}
    requests: list[tuple[str, Any, str]] = [
        (PROCESS, {"title": [MARKER], "text": {MARKER: MARKER}}, "/title"),
        ("/api/search/advanced", {"match": secret}, "/match/clauses/0"),
        ("/api/search/advanced", {"sort": MARKER}, "/sort"),
        ("/api/ai/generate-document", {"title": "T", "template": MARKER}, "/template"),
        ("/api/ai/generate-document", {"title": "T", "template": "mutual_nda", "facts": {"A b": MARKER}}, "/facts"),
        ("/api/workflow/start", {"definition": {"StartAt": "a", "States": {"a": {"Type": MARKER}}}}, "/definition"),
    ]
    tenant = world.tenant()
    with world.http(tenant) as http:
        for path, body, pointer in requests:
            answer = http.post(path, json=body)
            assert answer.status_code == 422, answer.text
            assert any(error.pointer.startswith(pointer) for error in _problem(answer).errors), answer.text
            assert MARKER not in answer.text.replace(f"/text/{MARKER}", "")


def test_malformed_json_is_told_by_line_and_column(world: World) -> None:
    with world.http(world.tenant()) as http:
        answer = http.post(PROCESS, content=b'{"title": "T",\n "text" "x"}', headers=JSON)

    assert "at line 2 column 9" in _problem(answer).detail


def test_a_value_of_another_json_type_is_never_converted(world: World) -> None:
    queries: list[tuple[dict[str, object], str]] = [
        ({"limit": "5"}, "/limit"),
        ({"limit": True}, "/limit"),
        ({"highlight": 1}, "/highlight"),
        ({"highlight": "yes"}, "/highlight"),
        ({"filters": {"created": {"since": 1_700_000_000}}}, "/filters/created/since"),
        ({"filters": {"created": {"since": "1700000000"}}}, "/filters/created/since"),
        ({"match": {"op": "phrase", "text": "x", "slop": "1"}}, "/match/slop"),
    ]
    with world.http(world.tenant()) as http:
        for query, pointer in queries:
            answer = http.post("/api/search/advanced", json=query)
            assert answer.status_code == 422, query
            assert [error.pointer for error in _problem(answer).errors] == [pointer]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(world: World) -> None:
    head = (
        f"POST {PROCESS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.tenant().key}\r\n"
        "content-type: application/json\r\ncontent-length: 9000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", world.port), timeout=10) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(10_000)

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer


def test_a_body_without_a_length_is_refused_while_it_still_comes(world: World) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(500):
            sent += 10_000
            yield b"x" * 10_000

    tenant = world.tenant()
    before = world.stored()
    with world.http(tenant) as http:
        answer = http.post(PROCESS, content=endless(), headers=JSON)

    assert answer.status_code == 413
    assert _problem(answer).name == "body-too-large"
    assert world.stored() == before


def test_another_media_type_is_refused(world: World) -> None:
    tenant = world.tenant()
    before = world.stored()
    kinds = ("", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1")
    others = [{"content-type": kind} for kind in kinds] + [{**JSON, "content-encoding": "gzip"}]
    with world.http(tenant) as http:
        answers = [http.post(PROCESS, content=orjson.dumps(DOCUMENT), headers=headers) for headers in others]

    assert {answer.status_code for answer in answers} == {415}
    assert {answer.headers["accept-post"] for answer in answers} == {"application/json"}
    assert world.stored() == before


def test_a_bad_query_gets_a_problem_and_stores_nothing(world: World) -> None:
    queries = (
        "priority=10",
        "priority=-1",
        "priority=high",
        "priority=",
        "priority=1&priority=2",
        "prioritty=1",
        "a%00=1",
        "run_at=tomorrow",
        "run_at=0.5",
        "run_at=1900000000",
        "run_at=2027-01-01T00:00:00",
        "run_at=9999-12-31T23:59:59-12:00",
        "deadline=2001-01-01T00:00:00Z",
        "run_at=2100-01-02T00:00:00Z&deadline=2100-01-01T00:00:00Z",
        "&".join(f"a{number}=1" for number in range(100)),
    )
    tenant = world.tenant()
    before = world.stored()
    with world.http(tenant) as http:
        for query in queries:
            answer = http.post(f"{PROCESS}?{query}", json=DOCUMENT)
            assert (answer.status_code, _problem(answer).name) == (422, "invalid-query"), query

    assert world.stored() == before


def test_a_bad_idempotency_key_is_refused(world: World) -> None:
    tenant = world.tenant()
    before = world.stored()
    with world.http(tenant) as http:
        for key in ("", "x" * 201, "tab\tin it", "ünïcode"):
            answer = http.post(PROCESS, json=DOCUMENT, headers=[(b"Idempotency-Key", key.encode())])
            assert (answer.status_code, _problem(answer).name) == (400, "invalid-header"), key

    assert world.stored() == before


def test_an_unknown_address_and_a_wrong_method_say_so(world: World) -> None:
    with world.http(world.tenant()) as http:
        nowhere = http.get("/api/nothing")
        slash = http.get("/api/jobs/")
        wrong = http.put("/api/api-keys")

    assert (nowhere.status_code, _problem(nowhere).name) == (404, "not-found")
    assert (slash.status_code, _problem(slash).name) == (404, "not-found")
    assert (wrong.status_code, _problem(wrong).name) == (405, "method-not-allowed")
    assert wrong.headers["allow"] == "GET, HEAD, POST"


def test_an_id_that_no_job_has_is_not_found(world: World) -> None:
    ids = ("x", "%00", "..%2f..", "123e4567-e89b-12d3-a456-426614174000", "a" * 3_000)
    with world.http(world.tenant()) as http:
        for job_id, path in product(ids, ("", "/timeline", "/events")):
            answer = http.get(f"/api/jobs/{job_id}{path}")
            assert (answer.status_code, _problem(answer).name) == (404, "not-found"), (job_id, path)
        assert {http.post(f"/api/jobs/{job_id}/cancel").status_code for job_id in ids} == {404}


def test_every_answer_carries_the_correlation_and_the_trace(world: World) -> None:
    mine = "0f8fad5b-d9cb-469f-a165-70867728950e"
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with world.http(world.tenant()) as http:
        given = http.get("/api/jobs", headers={"x-correlation-id": mine, "traceparent": parent})
        strange = http.get("/nothing", headers={"x-correlation-id": "no id", "traceparent": "00-zz"})

    assert given.headers["x-correlation-id"] == mine
    assert given.headers["traceparent"].split("-")[1] == parent.split("-")[1]
    assert given.headers["traceparent"] != parent
    assert len(strange.headers["x-correlation-id"]) == 36
    assert len(strange.headers["traceparent"]) == 55


def test_without_postgres_nothing_is_accepted_and_readiness_says_why(redis_url: str, tmp_path: Path) -> None:
    settings = Settings(
        database_url=SecretStr(f"postgresql://nobody@127.0.0.1:{free_port()}/none?connect_timeout=2"),
        redis_url=SecretStr(redis_url),
        bucatini_home=tmp_path,
    )
    with ServedApi(settings) as api, httpx.Client(base_url=api.url, timeout=30, trust_env=False) as http:
        ready = http.get("/readyz")
        refused = http.post(PROCESS, json=DOCUMENT, headers={"authorization": f"Bearer bct_{'a' * 12}_{'b' * 43}"})
        alive = http.get("/healthz")

    assert ready.status_code == 503
    assert {part["name"]: part["state"] for part in ready.json()["parts"]} == {
        "postgres": "failed",
        "redis": "ok",
        "migrations": "unknown",
    }
    assert (refused.status_code, _problem(refused).name) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert alive.status_code == 200


def test_without_redis_a_job_is_kept_all_the_same(api_settings: Settings) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    settings = api_settings.model_copy(update={"redis_url": SecretStr(away)})
    with World(settings) as world, world.http(world.tenant()) as http:
        accepted = http.post(PROCESS, json=DOCUMENT)
        ready = http.get("/readyz")
        stored = world.stored()

    assert accepted.status_code == 202
    assert stored["jobs"] == 1
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


def test_a_job_that_takes_nothing_needs_no_body(world: World) -> None:
    with world.http(world.tenant()) as http:
        assert http.post("/api/keys/rotate").status_code == 202


def _problem(answer: Any) -> Problem:
    return Problem.model_validate_json(answer.content)
