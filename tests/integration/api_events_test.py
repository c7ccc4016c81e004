"""Event streams: complete, in order, each event once, whatever breaks in between."""

import random
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import httpx
import psycopg
import pytest
from httpx_sse import EventSource
from pydantic import SecretStr

from events.envelope import CloudEvent
from infrastructure.redis.loudspeaker import Channel
from infrastructure.settings import Settings
from schemas.jobs import JobState
from tests.integration.api_serving import Tenant, World
from tests.waiting import wait_until

STEPS = ("job.started", "job.retrying", "search.document_indexed")


@dataclass(frozen=True, slots=True)
class Heard:
    event: CloudEvent
    resume_by: str

    @property
    def job_id(self) -> UUID:
        return UUID(self.event.subject)

    @property
    def seq(self) -> int:
        return int(self.event.id.rpartition(":")[2])


def test_a_jobs_stream_tells_all_from_the_first_to_the_last_and_ends(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    world.happen(job_id, "job.started", state=JobState.RUNNING)
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: list(_follow(world, tenant, f"/api/jobs/{job_id}/events")))
        _await_subscribers(world, 1)
        world.happen(job_id, "ai.document_processed", data={"title": "Zeile\u2028Ende"})
        world.succeed(job_id, {})
        heard = following.result(timeout=10)

    assert [one.event.type for one in heard] == [
        "job.queued",
        "job.started",
        "ai.document_processed",
        "job.succeeded",
    ]
    assert [one.resume_by for one in heard] == ["1", "2", "3", "4"]
    assert heard[2].event.data == {"title": "Zeile\u2028Ende"}
    assert heard[2].event.source == f"/api/jobs/{job_id}"


def test_a_finished_jobs_stream_resumes_anywhere_and_ends(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    for _ in range(600):
        world.happen(job_id, "job.retrying", tell=False)
    world.succeed(job_id, {})
    for after in (0, 1, 250, 500, 601, 602, 9_999):
        heard = list(_follow(world, tenant, f"/api/jobs/{job_id}/events", after=str(after)))
        assert [one.seq for one in heard] == list(range(after + 1, 603))


def test_a_replayed_jobs_stream_goes_on_past_its_first_end(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    world.happen(job_id, "job.dead", state=JobState.DEAD)
    world.happen(job_id, "job.replayed", state=JobState.QUEUED)
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: list(_follow(world, tenant, f"/api/jobs/{job_id}/events")))
        _await_subscribers(world, 1)
        world.succeed(job_id, {})
        types = [one.event.type for one in following.result(timeout=10)]

    assert types == ["job.queued", "job.dead", "job.replayed", "job.succeeded"]


def test_a_tenants_stream_loses_and_repeats_nothing_wherever_it_breaks(world: World) -> None:
    """Writers commit in another order than they wrote, one transaction stays open for long, and readers with different
    filters are cut off at random and resume. In the end each has every row that matches, once, each job's in order."""
    tenant = world.tenant()
    dice = random.Random(4711)
    stop = threading.Event()
    jobs = [world.submit(tenant) for _ in range(8)]
    first = {pattern: next(world.frames(tenant, pattern)).id for pattern in ("*", "search.*", "job.ret*")}

    with ThreadPoolExecutor(16) as threads:
        readers = {
            pattern: threads.submit(_read_with_breaks, world, tenant, pattern, begin, random.Random(len(pattern)), stop)
            for pattern, begin in first.items()
        }
        writers = [
            threads.submit(_write, world.settings, chosen, random.Random(number))
            for number, chosen in enumerate(zip(jobs[::2], jobs[1::2], strict=True))
        ]
        slow = threads.submit(_write_slowly, world.settings, world.submit(tenant))
        telling = threads.submit(_tell_now_and_then, world, tenant, dice, stop)
        for writer in (*writers, slow):
            writer.result(timeout=60)
        written = _rows(world, tenant)
        _tell_twice(world, tenant)
        stop.set()
        heard = {pattern: reader.result(timeout=60) for pattern, reader in readers.items()}
        telling.result(timeout=10)

    for pattern, beginning in (("*", ""), ("search.*", "search."), ("job.ret*", "job.ret")):
        expected = {(job_id, seq) for job_id, seq, kind in written if kind.startswith(beginning) and seq > 1}
        got = [(one.job_id, one.seq) for one in heard[pattern] if one.seq > 1]
        assert Counter(got) == Counter(expected), pattern
        by_job: dict[UUID, list[int]] = defaultdict(list)
        for job_id, seq in got:
            by_job[job_id].append(seq)
        assert all(seqs == sorted(seqs) for seqs in by_job.values()), pattern


def test_a_stream_from_long_ago_catches_up_in_stretches(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    begin = next(world.frames(tenant)).id
    for _ in range(3):
        _many_events(world, tenant, job_id, 3_000)
    heard = list(islice(_follow(world, tenant, "/api/events", after=begin), 9_000))

    assert [one.seq for one in heard] == list(range(2, 9_002))


def test_a_reader_who_is_too_slow_catches_up_and_gets_all(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    behind_before = _metric(world, "bucatini_subscribers_fell_behind_total")
    request = f"GET /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\n\r\n"
    with closing(socket.socket()) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.connect(("127.0.0.1", world.port))
        slow.sendall(request.encode())
        _await_subscribers(world, 1)
        for _ in range(20):
            _many_events(world, tenant, job_id, 200, data="x" * 2_000)
        wait_until(
            lambda: _metric(world, "bucatini_subscribers_fell_behind_total") > behind_before, "the reader fell behind"
        )
        slow.settimeout(20)
        seqs = list(islice(_seqs_on(slow), 4_000))

    assert seqs == list(range(2, 4_002))


def test_progress_is_told_live_and_moves_no_readers_place(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    progress = CloudEvent(
        id="p1",
        source=f"/api/jobs/{job_id}",
        type="job.progressed",
        subject=str(job_id),
        time=world.now(),
        data={"fraction": 0.5},
    )
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: list(_follow(world, tenant, f"/api/jobs/{job_id}/events")))
        _await_subscribers(world, 1)
        payload = tenant.id.bytes + progress.model_dump_json().encode()
        wait_until(lambda: world.redis.publish(Channel.LIVE, payload), "the ingress listens")
        world.redis.publish(Channel.LIVE, world.tenant().id.bytes + progress.model_dump_json().encode())
        world.redis.publish(Channel.LIVE, tenant.id.bytes + b'{"not": "an event"}')
        world.redis.publish(Channel.LIVE, b"short")
        world.happen(job_id, "job.started", state=JobState.RUNNING)
        world.succeed(job_id, {})
        heard = following.result(timeout=10)

    told = [(one.event.type, one.resume_by) for one in heard]
    assert told == [("job.queued", "1"), ("job.progressed", "1"), ("job.started", "2"), ("job.succeeded", "3")]


def test_without_redis_events_still_come(api_settings: Settings) -> None:
    settings = api_settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    with World(settings) as world:
        tenant = world.tenant()
        job_id = world.submit(tenant)
        with ThreadPoolExecutor(1) as threads:
            following = threads.submit(lambda: list(_follow(world, tenant, f"/api/jobs/{job_id}/events")))
            _await_subscribers(world, 1)
            world.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED, tell=False)
            assert [one.seq for one in following.result(timeout=10)] == [1, 2]


def test_a_stopping_ingress_ends_its_streams_at_once_and_they_resume_on_the_next(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with ThreadPoolExecutor(3) as threads:
        of_job = threads.submit(lambda: list(_follow(world, tenant, f"/api/jobs/{job_id}/events")))
        of_all = threads.submit(lambda: list(_follow(world, tenant, "/api/events")))
        poll = threads.submit(_poll, world, tenant, job_id)
        _await_subscribers(world, 2)
        wait_until(lambda: world.under_way >= 3, "two streams and a poll are under way")
        began = time.monotonic()
        world.stop()
        assert time.monotonic() - began < 5
        first = of_job.result(timeout=5)
        of_all.result(timeout=5)
        assert poll.result(timeout=5).json()["state"] == "queued"
    world.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED)
    world.start()
    rest = list(_follow(world, tenant, f"/api/jobs/{job_id}/events", after=first[-1].resume_by))

    assert [one.seq for one in first + rest] == [1, 2]


def test_a_stream_ends_when_its_key_is_revoked(world: World) -> None:
    tenant = world.tenant()
    other = world.another_key(tenant.id, "jobs:read")
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: list(_follow(world, other, "/api/events")))
        _await_subscribers(world, 1)
        world.database.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (other.key_id,))
        following.result(timeout=12)


def test_a_quiet_stream_moves_its_readers_place_along(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streaming.HEARTBEAT_SECONDS", 0.2)
    tenant = world.tenant()
    frames = world.frames(tenant, "search.*")
    begin = next(frames)
    world.submit(tenant)
    moved = next(frame for frame in frames if frame.id != begin.id)

    assert (moved.data, begin.data) == ("", "")
    with world.http(tenant) as http:
        headers = {"last-event-id": moved.id}
        with http.stream("GET", "/api/events", headers=headers) as stream:
            assert stream.status_code == 200


def test_a_last_event_id_that_no_stream_gave_is_refused(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with world.http(tenant) as http:
        for token in ("x", "-1", "1.5", "99999999999", "\u00b2".encode(), "1 OR 1=1", "W10", "WyIxOjE6Il0x" * 3_000):
            job = http.get(f"/api/jobs/{job_id}/events", headers=[(b"last-event-id", _bytes(token))])
            everything = http.get("/api/events", headers=[(b"last-event-id", _bytes(token))])
            assert (job.status_code, everything.status_code) == (400, 400), token


def _follow(world: World, tenant: Tenant, path: str, after: str = "") -> Iterator[Heard]:
    headers = {"last-event-id": after} if after else {}
    with world.http(tenant) as http, http.stream("GET", path, headers=headers) as stream:
        assert stream.status_code == 200
        for said in EventSource(stream).iter_sse():
            if said.data:
                yield Heard(CloudEvent.model_validate_json(said.data), said.id)


def _read_with_breaks(
    world: World, tenant: Tenant, pattern: str, begin: str, dice: random.Random, stop: threading.Event
) -> list[Heard]:
    """What a reader has who leaves after a random number of events or a short silence, and resumes each time."""
    heard: list[Heard] = []
    place = begin
    quiet_rounds = 0
    while quiet_rounds < 2:
        finishing = stop.is_set()
        enough = dice.randint(1, 40)
        came = 0
        try:
            timeout = httpx.Timeout(10, read=1.5 if finishing else dice.choice((0.05, 0.3)))
            headers = {**tenant.headers, "last-event-id": place}
            with (
                httpx.Client(base_url=world.url, headers=headers, timeout=timeout, trust_env=False) as http,
                http.stream("GET", "/api/events", params={"type": pattern}) as stream,
            ):
                for said in EventSource(stream).iter_sse():
                    place = said.id or place
                    if said.data:
                        heard.append(Heard(CloudEvent.model_validate_json(said.data), said.id))
                        came += 1
                    if came >= enough:
                        break
        except httpx.ReadTimeout:
            pass
        quiet_rounds = quiet_rounds + 1 if finishing and not came else 0
    return heard


def _write(settings: Settings, jobs: tuple[UUID, UUID], dice: random.Random) -> None:
    """Transactions of several events, some rolled back, some committed only after later ones were."""
    with psycopg.connect(settings.database) as connection:
        for _ in range(60):
            for _ in range(dice.randint(1, 4)):
                _event(connection, dice.choice(jobs), dice.choice(STEPS))
            time.sleep(dice.uniform(0, 0.02))
            if dice.random() < 0.1:
                connection.rollback()
            else:
                connection.commit()


def _write_slowly(settings: Settings, job_id: UUID) -> None:
    with psycopg.connect(settings.database) as connection:
        for _ in range(5):
            _event(connection, job_id, "job.retrying")
            time.sleep(0.5)


def _event(connection: psycopg.Connection[tuple[object, ...]], job_id: UUID, kind: str) -> None:
    connection.execute(
        "WITH u AS (UPDATE jobs SET seq = seq + 1 WHERE id = %s RETURNING id, seq, tenant_id) "
        "INSERT INTO job_events (job_id, seq, tenant_id, type) SELECT id, seq, tenant_id, %s FROM u",
        (job_id, kind),
    )


def _many_events(world: World, tenant: Tenant, job_id: UUID, count: int, data: str = "") -> None:
    world.database.execute(
        "WITH u AS (UPDATE jobs SET seq = seq + %(count)s WHERE id = %(job)s RETURNING seq - %(count)s AS before) "
        "INSERT INTO job_events (job_id, seq, tenant_id, type, data) "
        "SELECT %(job)s, before + n, %(tenant)s, 'job.retrying', jsonb_build_object('data', %(data)s::text) "
        "FROM u, generate_series(1, %(count)s) n ORDER BY n",
        {"job": job_id, "tenant": tenant.id, "count": count, "data": data},
    )
    world.tell(tenant.id)


def _tell_now_and_then(world: World, tenant: Tenant, dice: random.Random, stop: threading.Event) -> None:
    while not stop.is_set():
        world.tell(tenant.id)
        stop.wait(dice.uniform(0, 0.05))


def _tell_twice(world: World, tenant: Tenant) -> None:
    for _ in range(2):
        world.tell(tenant.id)


def _rows(world: World, tenant: Tenant) -> list[tuple[UUID, int, str]]:
    statement = "SELECT job_id, seq, type FROM job_events WHERE tenant_id = %s"
    return [(row[0], row[1], row[2]) for row in world.database.execute(statement, (tenant.id,)).fetchall()]


def _seqs_on(connection: socket.socket) -> Iterator[int]:
    """The seqs of the events on a raw connection, in the order of their arrival."""
    unread = b""
    while received := connection.recv(65_536):
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                event = CloudEvent.model_validate_json(line.removeprefix(b"data: "))
                yield int(event.id.rpartition(":")[2])


def _await_subscribers(world: World, count: int) -> None:
    """Until they have joined: the streams are open, and the hub has read since."""
    wait_until(lambda: _metric(world, "bucatini_sse_subscribers") >= count, f"{count} streams are open")


def _metric(world: World, name: str) -> float:
    with world.http() as http:
        lines = http.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def _poll(world: World, tenant: Tenant, job_id: UUID) -> httpx.Response:
    with world.http(tenant) as http:
        return http.get(f"/api/jobs/{job_id}", headers={"prefer": "wait=50"})


def _bytes(token: str | bytes) -> bytes:
    return token if isinstance(token, bytes) else token.encode()
