"""Jobs over HTTP: what 202 promises, keys that never make two, waiting, lists and early ends."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx

from infrastructure.redis.pubsub import Channel, ids_in
from schemas.jobs import Job, JobPage, JobState, Timeline
from schemas.problems import Problem
from tests.integration.serving import DOCUMENT, PROCESS, World
from tests.waiting import wait_until

RESULT = {"title": "Lease"}


def test_the_answer_tells_of_the_job_what_reading_it_would(world: World) -> None:
    run_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    correlation_id = str(uuid4())
    terms: dict[str, str | int] = {
        "priority": 8,
        "run_at": run_at,
        "deadline": "2100-01-01T00:00:00Z",
    }
    no_terms: dict[str, str | int] = {}
    with world.http(world.tenant()) as http:
        for query in (no_terms, terms):
            told = http.post(PROCESS, params=query, json=DOCUMENT, headers={"x-correlation-id": correlation_id})
            read = http.get(told.headers["location"])
            vague = {"created_at", "run_at"} - query.keys()
            assert told.status_code == 202
            assert _without(told, vague) == _without(read, vague)

    assert read.json()["state"] == "scheduled"
    assert read.json()["correlation_id"] == correlation_id


def test_twenty_posts_with_one_key_at_once_make_one_job(world: World) -> None:
    tenant = world.tenant()
    together = threading.Barrier(20)

    def post(_: int) -> httpx.Response:
        with world.http(tenant) as http:
            together.wait()
            return http.post(PROCESS, json=DOCUMENT, headers={"idempotency-key": "order-17"})

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(post, range(20)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {None: 1, "true": 19}
    assert world.stored()["jobs"] == world.stored()["job_events"] == 1


def test_a_key_gives_its_first_job_again_and_refuses_another_body(world: World) -> None:
    tenant = world.tenant()
    key = {"idempotency-key": "order-18"}
    with world.http(tenant) as http:
        first = http.post(PROCESS, json=DOCUMENT, headers=key)
        same = http.post(PROCESS, content=_spelled_otherwise(), headers={**key, "content-type": "application/json"})
        other = http.post(PROCESS, json={**DOCUMENT, "title": "Other"}, headers=key)
        other_kind = http.post("/api/ai/analyze-content", json={"text": DOCUMENT["text"]}, headers=key)
        world.succeed(UUID(first.json()["id"]), RESULT)
        done = http.post(PROCESS, json=DOCUMENT, headers=key)
    with world.http(world.tenant()) as http:
        elsewhere = http.post(PROCESS, json=DOCUMENT, headers=key)

    assert (same.status_code, same.json()["id"]) == (202, first.json()["id"])
    assert same.headers["idempotency-replayed"] == "true"
    for refused in (other, other_kind):
        assert (refused.status_code, _problem(refused).name) == (422, "idempotency-key-reused")
    assert (done.status_code, done.json()["result"]) == (200, RESULT)
    assert elsewhere.json()["id"] != first.json()["id"]
    assert world.stored()["jobs"] == 2


def test_who_prefers_to_wait_gets_the_result(world: World) -> None:
    tenant = world.tenant()
    with world.http(tenant) as http, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(http.post, PROCESS, json=DOCUMENT, headers={"prefer": "respond-async, wait=30"})
        world.succeed(wait_until(lambda: _jobs(world), "the job is stored")[0], RESULT)
        answer = waiting.result(timeout=25)

    assert (answer.status_code, answer.json()["state"], answer.json()["result"]) == (200, "succeeded", RESULT)
    assert answer.headers["preference-applied"] == "wait=30"


def test_who_waited_long_enough_gets_the_job_as_it_stands(world: World) -> None:
    with world.http(world.tenant()) as http:
        posted = http.post(PROCESS, json=DOCUMENT, headers={"prefer": "wait=1"})
        polled = http.get(posted.headers["location"], headers={"prefer": "wait=0"})
        unread = http.post(PROCESS, json=DOCUMENT, headers={"prefer": "wait=soon"})

    assert (posted.status_code, posted.headers["preference-applied"]) == (202, "wait=1")
    assert (polled.status_code, polled.json()["state"]) == (200, "queued")
    assert (unread.status_code, "preference-applied" in unread.headers) == (202, False)


def test_a_poll_waits_until_the_job_has_ended(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with world.http(tenant) as http, ThreadPoolExecutor(1) as threads:
        polling = threads.submit(http.get, f"/api/jobs/{job_id}", headers={"prefer": "wait=30"})
        world.happen(job_id, "job.started", state=JobState.RUNNING)
        world.happen(job_id, "job.failed", state=JobState.FAILED, problem=_some_problem())
        job = Job.model_validate_json(polling.result(timeout=25).content)

    assert (job.state, job.problem) == (JobState.FAILED, Problem.model_validate(_some_problem()))


def test_a_known_job_is_not_sent_again(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with world.http(tenant) as http:
        first = http.get(f"/api/jobs/{job_id}")
        tag = first.headers["etag"]
        again = http.get(f"/api/jobs/{job_id}", headers={"if-none-match": f'"other", W/{tag}'})
        world.happen(job_id, "job.started", state=JobState.RUNNING)
        changed = http.get(f"/api/jobs/{job_id}", headers={"if-none-match": tag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_a_list_shows_every_job_once_whatever_its_pages(world: World) -> None:
    tenant = world.tenant()
    made = [world.submit(tenant) for _ in range(12)]
    with world.http(tenant) as http:
        whole = _listed(http, limit=100)
        paged = _listed(http, limit=5)
        exact = _listed(http, limit=4)

    assert whole == paged == exact == made[::-1]


def test_a_list_is_filtered(world: World) -> None:
    tenant = world.tenant()
    ran, waits = world.submit(tenant), world.submit(tenant)
    world.happen(ran, "job.started", state=JobState.RUNNING)
    with world.http(tenant) as http:
        http.post("/api/keys/rotate")
        assert _listed(http, state="running") == [ran]
        assert _listed(http, kind="ai.process_document") == [waits, ran]
        assert _listed(http, queue="keys", limit=1) == _listed(http, kind="keys.rotate")
        assert _listed(http, state="dead") == []
        assert http.get("/api/jobs", params={"state": "asleep"}).status_code == 422


def test_a_list_brings_results_only_when_it_is_asked_for_them(world: World) -> None:
    tenant = world.tenant()
    waits, done = world.submit(tenant), world.submit(tenant)
    world.succeed(done, {"pages": 3})
    with world.http(tenant) as http:
        lean = http.get("/api/jobs").json()["jobs"]
        whole = http.get("/api/jobs", params={"include": "result"}).json()["jobs"]
        fetched = http.get(lean[0]["result_url"]).json()
        refused = http.get("/api/jobs", params={"include": "everything"})

    assert [(job["id"], job["result"], job["result_url"]) for job in lean] == [
        (str(done), None, f"/api/jobs/{done}/result"),
        (str(waits), None, None),
    ]
    assert [job["result"] for job in whole] == [fetched, None]
    assert fetched == {"pages": 3}
    assert (refused.status_code, _problem(refused).errors[0].pointer) == (422, "/query/include")


def test_a_cursor_that_was_changed_or_carried_elsewhere_is_refused(world: World) -> None:
    tenant, other = world.tenant(), world.tenant()
    for _ in range(3):
        world.submit(tenant)
    with world.http(tenant) as http, world.http(other) as elsewhere:
        cursor = http.get("/api/jobs", params={"limit": 1}).json()["next_cursor"]
        changed = [_change(cursor, place) for place in range(len(cursor) - 1)]
        strange = ["", "x", "ä", cursor + "A", cursor[:-2], "A" * 43]
        refused = [http.get("/api/jobs", params={"limit": 1, "cursor": one}) for one in changed + strange]
        refused.append(http.get("/api/jobs", params={"state": "queued", "cursor": cursor}))
        refused.append(elsewhere.get("/api/jobs", params={"cursor": cursor}))
        good = http.get("/api/jobs", params={"limit": 1, "cursor": cursor})

    assert {(answer.status_code, _problem(answer).name) for answer in refused} == {(400, "cursor-invalid")}
    assert good.status_code == 200


def test_a_timeline_explains_a_job(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    world.happen(job_id, "job.started", state=JobState.RUNNING, data={"attempt": 1})
    world.succeed(job_id, RESULT)
    with world.http(tenant) as http:
        timeline = Timeline.model_validate_json(http.get(f"/api/jobs/{job_id}/timeline").content)

    assert [(entry.seq, entry.type) for entry in timeline.entries] == [
        (1, "job.queued"),
        (2, "job.started"),
        (3, "job.succeeded"),
    ]
    assert timeline.entries[1].data == {"attempt": 1}


def test_a_cancelled_job_stays_cancelled_and_a_finished_one_finished(world: World) -> None:
    tenant = world.tenant()
    waits, ran, done = world.submit(tenant), world.submit(tenant), world.submit(tenant)
    world.happen(ran, "job.started", state=JobState.RUNNING)
    world.succeed(done, RESULT)
    with world.http(tenant) as http:
        cancelled = [http.post(f"/api/jobs/{job_id}/cancel") for job_id in (waits, ran, ran)]
        late = http.post(f"/api/jobs/{done}/cancel")
        timeline = http.get(f"/api/jobs/{ran}/timeline").json()["entries"]

    assert [(answer.status_code, answer.json()["state"]) for answer in cancelled] == [(200, "cancelled")] * 3
    assert [entry["type"] for entry in timeline] == ["job.queued", "job.started", "job.cancelled"]
    assert (late.status_code, _problem(late).name) == (409, "job-over")


def test_the_worker_of_a_cancelled_run_is_told_to_stop(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    world.happen(job_id, "job.started", state=JobState.RUNNING)
    with world.heard(Channel.STOP) as said, world.http(tenant) as http:
        http.post(f"/api/jobs/{job_id}/cancel")
        assert ids_in(wait_until(said, "the stop is announced") or b"") == [job_id]


def test_the_parent_of_a_cancelled_child_goes_on(world: World) -> None:
    tenant = world.tenant()
    parent, child = world.submit(tenant), world.submit(tenant)
    world.happen(parent, "job.waiting", state=JobState.WAITING)
    world.database.execute("UPDATE jobs SET parent_id = %s WHERE id = %s", (parent, child))
    with world.http(tenant) as http:
        http.post(f"/api/jobs/{child}/cancel")
        assert http.get(f"/api/jobs/{parent}").json()["state"] == "queued"


def test_a_workflow_may_not_do_what_its_caller_may_not(world: World) -> None:
    step = {"Type": "Task", "Resource": "urn:bucatini:job:keys.rotate", "Parameters": {}, "End": True}
    start = {"definition": {"StartAt": "rotate", "States": {"rotate": step}}}
    admin = world.tenant()
    with world.http(world.another_key(admin.id, "jobs:write")) as http:
        refused = http.post("/api/workflow/start", json=start)
    with world.http(world.another_key(admin.id, "jobs:write", "keys:write")) as http:
        allowed = http.post("/api/workflow/start", json=start)

    assert (refused.status_code, _problem(refused).name) == (403, "scope-missing")
    assert "keys:write" in _problem(refused).detail
    assert allowed.status_code == 202
    assert world.stored()["jobs"] == 1


def _jobs(world: World) -> list[UUID]:
    return [job_id for (job_id,) in world.database.execute("SELECT id FROM jobs").fetchall()]


def _listed(http: httpx.Client, **query: str | int) -> list[UUID]:
    found: list[UUID] = []
    cursor: dict[str, str] = {}
    while True:
        page = JobPage.model_validate_json(http.get("/api/jobs", params={**query, **cursor}).content)
        found += [job.id for job in page.jobs]
        if page.next_cursor is None:
            return found
        cursor = {"cursor": page.next_cursor}


def _without(answer: httpx.Response, names: set[str]) -> dict[str, object]:
    return {name: value for name, value in answer.json().items() if name not in names}


def _change(cursor: str, place: int) -> str:
    other = "A" if cursor[place] != "A" else "B"
    return cursor[:place] + other + cursor[place + 1 :]


def _spelled_otherwise() -> bytes:
    return b'{ "text": "%s",\n "title": "\\u004cease" }' % DOCUMENT["text"].encode()


def _some_problem() -> dict[str, object]:
    return Problem.of("unreadable", "The document can't be read", 422, "It is empty.").model_dump(mode="json")


def _problem(answer: httpx.Response) -> Problem:
    return Problem.model_validate_json(answer.content)
