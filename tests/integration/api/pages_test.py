"""What people and orchestrators open: the pages need nothing from elsewhere, the health tells each part."""

import re
from typing import Any

import httpx

from monitoring.metrics.bus import render_metrics
from tests.integration.serving import DOCUMENT, PROCESS, World
from tests.waiting import wait_until

ELSEWHERE = re.compile(r"""(?:src|href|action|url|fetch|import)\s*[=(]\s*["']?\s*(?:https?:)?//""", re.IGNORECASE)


def test_the_pages_load_nothing_from_elsewhere(world: World) -> None:
    with world.http() as http:
        for path in ("/", "/docs"):
            page = http.get(path)
            assert page.status_code == 200
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert not ELSEWHERE.findall(page.text), path
            loaded = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
            assert {address: http.get(address).status_code for address in loaded} == dict.fromkeys(loaded, 200)
        assert "//" not in re.sub(r'"[^"]*"', "", http.get("/docs/start.js").text)
        assert http.get("/docs/..%2f__init__.py").status_code == 404


def test_the_console_runs_no_script_but_its_own_and_is_sent_once(world: World) -> None:
    with world.http() as http:
        page = http.get("/")
        again = http.get("/", headers={"if-none-match": page.headers["etag"]})
        script = http.get("/console/app.js")
        astray = [http.get(f"/console/{name}").status_code for name in ("index.html", "..%2fconsole.py", "none.js")]

    policy = page.headers["content-security-policy"]
    assert "script-src 'self'; style-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script>|<style>|\s(?:on\w+|style)=", page.text)
    assert (again.status_code, again.content) == (304, b"")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert astray == [404, 404, 404]


def test_the_document_is_served_as_it_is_declared(world: World) -> None:
    with world.http() as http:
        document = http.get("/openapi.json")

    assert document.headers["content-type"] == "application/json"
    assert document.json()["openapi"] == "3.1.0"
    assert {"/api/jobs", "/api/search/advanced", "/api/ai/generate"} <= document.json()["paths"].keys()


def test_readiness_tells_each_part(world: World) -> None:
    with world.http() as http:
        wait_until(lambda: http.get("/readyz").json()["status"] == "ready", "the ingress is ready")
        ready = http.get("/readyz")

    parts = {part["name"]: part for part in ready.json()["parts"]}
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert parts.keys() == {"postgres", "redis", "migrations"}
    assert all(part["state"] == "ok" and part["milliseconds"] > 0 for part in parts.values())


def test_a_database_without_its_tables_isnt_ready(world: World) -> None:
    with world.http() as http:
        wait_until(lambda: http.get("/readyz").status_code == 200, "the ingress is ready")
        world.database.execute("UPDATE alembic_version SET version_num = '0000'")
        wait_until(lambda: http.get("/readyz").status_code == 503, "a result of before isn't cached any more")
        parts = {part["name"]: part for part in http.get("/readyz").json()["parts"]}

    assert parts["migrations"]["state"] == "failed"
    assert parts["postgres"].get("detail") != "PostgreSQL can't be reached"


def test_requests_are_counted_by_their_pattern(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with world.http(tenant) as http:
        http.get(f"/api/jobs/{job_id}")
        http.get("/api/nothing/at/all")
        assert http.get("/metrics").status_code == 404, "it is for operators, on a port of their own"
    metrics = render_metrics()[0].decode()

    assert re.search(r'bucatini_http_requests_total\{method="GET",route="/api/jobs/\{id\}",status="200"\} \d', metrics)
    assert re.search(r'bucatini_http_requests_total\{method="GET",route="unknown",status="404"\} \d', metrics)
    assert str(job_id) not in metrics
    assert str(tenant.id) not in metrics


def test_the_head_of_every_page_is_that_of_its_body(world: World) -> None:
    with world.http(world.tenant()) as http:
        for path in ("/", "/docs", "/healthz", "/api/jobs", "/openapi.json"):
            head, whole = http.head(path), http.get(path)
            assert (head.status_code, head.content) == (whole.status_code, b"")
            assert _lasting(head) == _lasting(whole)
        stream = http.head("/api/events")
        assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream")
        assert "content-length" not in stream.headers


def test_an_answer_with_a_document_in_it_is_never_cached(world: World) -> None:
    with world.http(world.tenant()) as http:
        made = http.post("/api/api-keys", json={"name": "n", "scopes": ["jobs:read"]})
        job = http.get(http.post(PROCESS, json=DOCUMENT).headers["location"])

    assert made.headers["cache-control"] == "no-store"
    assert job.headers["cache-control"] == "private, no-cache"


def _lasting(answer: httpx.Response) -> dict[str, Any]:
    passing = ("date", "x-correlation-id", "traceparent", "ratelimit", "ratelimit-remaining", "ratelimit-reset")
    return {name: value for name, value in answer.headers.items() if name not in passing}
