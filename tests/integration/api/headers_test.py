"""Headers and addresses as clients really write them, and what every answer says beside its body."""

import time

import httpx
import orjson
import pytest
from websockets.exceptions import InvalidStatus

from schemas.problems import Problem
from tests.integration.api.connections_test import answer_of, connected, status_of
from tests.integration.serving import DOCUMENT, PROCESS, Tenant, World
from tests.integration.websockets import watcher


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json;charset=UTF8",
        "application/json; charset=utf8",
        'Application/JSON ; charset="UTF-8"',
        "application/json; charset=us-ascii",
        "application/json; profile=v2; charset=utf-8",
        'application/json; profile="a;b"',
        "application/json;",
    ],
)
def test_json_is_taken_however_its_type_is_written(world: World, content_type: str) -> None:
    with world.http(world.tenant()) as http:
        answer = http.post(PROCESS, content=orjson.dumps(DOCUMENT), headers={"content-type": content_type})

    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-16", "application/json; charset=latin-1; charset=utf-8", "text/json", "json"],
)
def test_what_isnt_json_in_utf8_is_refused(world: World, content_type: str) -> None:
    with world.http(world.tenant()) as http:
        answer = http.post(PROCESS, content=orjson.dumps(DOCUMENT), headers={"content-type": content_type})

    assert answer.status_code == 415


def test_a_read_token_knows_its_job_however_the_id_is_written(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with world.http(tenant) as http:
        token = http.post(f"/api/jobs/{job_id}/token").json()["token"]
    with world.http(Tenant(tenant.id, "", token)) as holder:
        statuses = [holder.get(f"/api/jobs/{one}").status_code for one in (job_id, str(job_id).upper(), "x")]

    assert statuses == [200, 200, 404]


def test_a_preference_holds_in_whichever_of_two_lines_it_stands(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    for lines in (("wait=1", "respond-async"), ("respond-async", "wait=1")):
        began = time.monotonic()
        with world.http(tenant) as http:
            answer = http.get(f"/api/jobs/{job_id}", headers=[("prefer", one) for one in lines])
        assert answer.headers["preference-applied"] == "wait=1"
        assert time.monotonic() - began > 0.9


def test_a_plus_in_a_query_needs_no_escape_in_a_time(world: World) -> None:
    with world.http(world.tenant()) as http:
        plain = http.post(f"{PROCESS}?run_at=2100-01-01T02:00:00+02:00", json=DOCUMENT)
        escaped = http.post(f"{PROCESS}?run_at=2100-01-01T02:00:00.5%2B02:00", json=DOCUMENT)
        nonsense = http.post(f"{PROCESS}?run_at=2100-01-01T02:00:00+99:00", json=DOCUMENT)

    assert plain.json()["run_at"] == "2100-01-01T00:00:00Z", plain.text
    assert escaped.json()["run_at"].startswith("2100-01-01T00:00:00.5")
    assert nonsense.status_code == 422


def test_a_request_names_its_host_once(world: World) -> None:
    heads = {
        b"GET /healthz HTTP/1.1\r\n": 400,
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n": 400,
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nHost: a\r\n": 400,
        b"GET /healthz HTTP/1.1\r\nhost: a\r\n": 200,
        b"GET /healthz HTTP/1.0\r\n": 200,
    }
    for head, status in heads.items():
        with connected(world.port, head + b"connection: close\r\n\r\n") as connection:
            answer = answer_of(connection)
        assert status_of(answer) == status, head
        if status == 400:
            assert b"/headers/Host" in answer


def test_two_idempotency_keys_are_none(world: World) -> None:
    tenant = world.tenant()
    before = world.stored()
    with world.http(tenant) as http:
        answer = http.post(PROCESS, json=DOCUMENT, headers=[("idempotency-key", "a"), ("idempotency-key", "b")])

    assert (answer.status_code, _problem(answer).name) == (400, "invalid-header")
    assert world.stored() == before


def test_every_answer_tells_a_browser_to_run_nothing_of_it(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with world.http(tenant) as http:
        answers = [
            http.get("/api/jobs"),
            http.get(f"/api/jobs/{job_id}/result"),
            http.get("/healthz"),
            http.get("/openapi.json"),
            http.get("/nowhere"),
            http.post(PROCESS, content=b"{"),
            http.post(PROCESS, json=DOCUMENT, headers={"x": "y" * 70_000}),
        ]
        with http.stream("GET", "/api/events") as stream:
            answers.append(stream)
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert "default-src 'none'" in answer.headers["content-security-policy"], answer.url
        assert len(answer.headers.get_list("content-security-policy")) == 1
    for raw in (b"no http at all\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"):
        with connected(world.port, raw) as connection:
            refused = answer_of(connection)
        assert b"\r\nx-content-type-options: nosniff\r\n" in refused
        assert b"\r\ncontent-security-policy: default-src 'none'" in refused
        assert b"\r\ncontent-type: application/problem+json\r\n" in refused
    with pytest.raises(InvalidStatus) as shaken, watcher(world, None, authorization="Bearer nobody"):
        pass
    assert shaken.value.response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in shaken.value.response.headers["content-security-policy"]


def test_whoever_isnt_known_hears_what_is_missing_and_what_to_send(world: World) -> None:
    with world.http() as http:
        nothing = http.get("/api/jobs")
        other = http.get("/api/jobs", headers={"authorization": "Basic dXNlcjpwYXNz"})
        unknown = http.get("/api/jobs", headers={"authorization": f"Bearer bct_{'x' * 12}_{'y' * 43}"})

    for answer in (nothing, other):
        problem = _problem(answer)
        assert (answer.status_code, problem.title) == (401, "No API key or token was given")
        assert problem.detail == "Send `Authorization: Bearer <key>`."
    assert (unknown.status_code, _problem(unknown).title) == (401, "The API key or token isn't valid")
    assert "Authorization: Bearer <key>" in _problem(unknown).detail
    assert 'error="invalid_token"' in unknown.headers["www-authenticate"]


def _problem(answer: httpx.Response) -> Problem:
    return Problem.model_validate_json(answer.content)
