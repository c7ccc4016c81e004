"""Event streams: complete, in order, each event once, whatever breaks in between."""

import random
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from uuid import UUID

import pytest
from pydantic import SecretStr

from events.envelope import CloudEvent
from infrastructure.redis.pubsub import Channel
from infrastructure.settings import Settings
from schemas.jobs import JobState
from tests.integration.event_streams import (
    as_bytes,
    await_subscribers,
    follow,
    long_poll,
    many_events,
    metric,
    read_with_breaks,
    rows_of,
    seqs_on,
    slow_reader,
    tell_now_and_then,
    tell_twice,
    write,
    write_slowly,
)
from tests.integration.serving import World
from tests.waiting import GUARD_SECONDS, wait_until

STOPPED_WITHIN_SECONDS = 15.0
"""On a busy machine; half of what requests under way are given."""


def test_a_jobs_stream_tells_all_from_the_first_to_the_last_and_ends(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    world.happen(job_id, "job.started", state=JobState.RUNNING)
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: list(follow(world, tenant, f"/api/jobs/{job_id}/events")))
        await_subscribers(world, 1)
        world.happen(job_id, "ai.document_processed", data={"title": "Zeile\u2028Ende"})
        world.succeed(job_id, {})
        heard = following.result(timeout=GUARD_SECONDS)

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
        heard = list(follow(world, tenant, f"/api/jobs/{job_id}/events", after=str(after)))
        assert [one.seq for one in heard] == list(range(after + 1, 603))


def test_a_replayed_jobs_stream_goes_on_past_its_first_end(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    world.happen(job_id, "job.dead", state=JobState.DEAD)
    world.happen(job_id, "job.replayed", state=JobState.QUEUED)
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: list(follow(world, tenant, f"/api/jobs/{job_id}/events")))
        await_subscribers(world, 1)
        world.succeed(job_id, {})
        types = [one.event.type for one in following.result(timeout=GUARD_SECONDS)]

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
            pattern: threads.submit(read_with_breaks, world, tenant, pattern, begin, random.Random(len(pattern)), stop)
            for pattern, begin in first.items()
        }
        writers = [
            threads.submit(write, world.settings, chosen, random.Random(number))
            for number, chosen in enumerate(zip(jobs[::2], jobs[1::2], strict=True))
        ]
        slow = threads.submit(write_slowly, world.settings, world.submit(tenant))
        telling = threads.submit(tell_now_and_then, world, tenant, dice, stop)
        for writer in (*writers, slow):
            writer.result(timeout=GUARD_SECONDS)
        written = rows_of(world, tenant)
        tell_twice(world, tenant)
        stop.set()
        heard = {pattern: reader.result(timeout=GUARD_SECONDS) for pattern, reader in readers.items()}
        telling.result(timeout=GUARD_SECONDS)

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
        many_events(world, tenant, job_id, 3_000)
    heard = list(islice(follow(world, tenant, "/api/events", after=begin), 9_000))

    assert [one.seq for one in heard] == list(range(2, 9_002))


def test_a_reader_who_is_too_slow_catches_up_and_gets_all(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    behind_before = metric("bucatini_subscribers_fell_behind_total")
    with closing(slow_reader(world, tenant)) as slow:
        for _ in range(20):
            many_events(world, tenant, job_id, 200, data="x" * 2_000)
        wait_until(lambda: metric("bucatini_subscribers_fell_behind_total") > behind_before, "the reader fell behind")
        seqs = list(islice(seqs_on(slow), 4_000))

    assert seqs == list(range(2, 4_002))


def test_a_stopping_ingress_doesnt_wait_for_a_reader_who_takes_nothing(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    behind_before = metric("bucatini_subscribers_fell_behind_total")
    with closing(slow_reader(world, tenant)):
        for _ in range(20):
            many_events(world, tenant, job_id, 200, data="x" * 2_000)
        wait_until(lambda: metric("bucatini_subscribers_fell_behind_total") > behind_before, "the reader fell behind")
        began = time.monotonic()
        world.stop()

    assert time.monotonic() - began < STOPPED_WITHIN_SECONDS


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
        following = threads.submit(lambda: list(follow(world, tenant, f"/api/jobs/{job_id}/events")))
        await_subscribers(world, 1)
        payload = tenant.id.bytes + progress.model_dump_json().encode()
        wait_until(lambda: world.redis.publish(Channel.LIVE, payload), "the ingress listens")
        world.redis.publish(Channel.LIVE, world.tenant().id.bytes + progress.model_dump_json().encode())
        world.redis.publish(Channel.LIVE, tenant.id.bytes + b'{"not": "an event"}')
        world.redis.publish(Channel.LIVE, b"short")
        world.happen(job_id, "job.started", state=JobState.RUNNING)
        world.succeed(job_id, {})
        heard = following.result(timeout=GUARD_SECONDS)

    told = [(one.event.type, one.resume_by) for one in heard]
    assert told == [("job.queued", "1"), ("job.progressed", "1"), ("job.started", "2"), ("job.succeeded", "3")]


def test_without_redis_events_still_come(api_settings: Settings) -> None:
    settings = api_settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    with World(settings) as world:
        tenant = world.tenant()
        job_id = world.submit(tenant)
        with ThreadPoolExecutor(1) as threads:
            following = threads.submit(lambda: list(follow(world, tenant, f"/api/jobs/{job_id}/events")))
            await_subscribers(world, 1)
            world.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED, tell=False)
            assert [one.seq for one in following.result(timeout=GUARD_SECONDS)] == [1, 2]


def test_a_stopping_ingress_ends_its_streams_at_once_and_they_resume_on_the_next(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with ThreadPoolExecutor(3) as threads:
        of_job = threads.submit(lambda: list(follow(world, tenant, f"/api/jobs/{job_id}/events")))
        of_all = threads.submit(lambda: list(follow(world, tenant, "/api/events")))
        poll = threads.submit(long_poll, world, tenant, job_id)
        await_subscribers(world, 2)
        wait_until(lambda: world.under_way >= 3, "two streams and a poll are under way")
        began = time.monotonic()
        world.stop()
        assert time.monotonic() - began < STOPPED_WITHIN_SECONDS
        first = of_job.result(timeout=GUARD_SECONDS)
        of_all.result(timeout=GUARD_SECONDS)
        assert poll.result(timeout=GUARD_SECONDS).json()["state"] == "queued"
    world.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED)
    world.start()
    rest = list(follow(world, tenant, f"/api/jobs/{job_id}/events", after=first[-1].resume_by))

    assert [one.seq for one in first + rest] == [1, 2]


def test_a_stream_ends_when_its_key_is_revoked(world: World) -> None:
    tenant = world.tenant()
    other = world.another_key(tenant.id, "jobs:read")
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: list(follow(world, other, "/api/events")))
        await_subscribers(world, 1)
        world.database.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (other.key_id,))
        following.result(timeout=GUARD_SECONDS)


def test_a_quiet_stream_moves_its_readers_place_along(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.sse.HEARTBEAT_SECONDS", 0.2)
    tenant = world.tenant()
    frames = world.frames(tenant, "search.*")
    begin = next(frames)
    world.submit(tenant)
    moved = next(frame for frame in frames if frame.id != begin.id)

    assert (moved.data, begin.event) == ("", "stream.started")
    with world.http(tenant) as http:
        headers = {"last-event-id": moved.id}
        with http.stream("GET", "/api/events", headers=headers) as stream:
            assert stream.status_code == 200


def test_a_stream_says_first_that_it_starts_now_and_how_to_start_earlier(world: World) -> None:
    tenant = world.tenant()
    before = [world.submit(tenant), world.submit(tenant)]
    first = next(world.frames(tenant))
    after = world.submit(tenant)
    from_the_oldest = list(islice(follow(world, tenant, "/api/events", after="0"), 3))
    from_there = next(follow(world, tenant, "/api/events", after=first.id))

    assert (first.event, first.json()["starts"]) == ("stream.started", "now")
    assert "Last-Event-ID: the id of an event that you have, to go on after it, or 0" in first.json()["detail"]
    assert [one.job_id for one in from_the_oldest] == [*before, after]
    assert from_there.job_id == after


def test_a_last_event_id_that_no_stream_gave_is_refused(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    with world.http(tenant) as http:
        for token in ("x", "-1", "1.5", "99999999999", "\u00b2".encode(), "1 OR 1=1", "W10", "WyIxOjE6Il0x" * 3_000):
            job = http.get(f"/api/jobs/{job_id}/events", headers=[(b"last-event-id", as_bytes(token))])
            everything = http.get("/api/events", headers=[(b"last-event-id", as_bytes(token))])
            assert (job.status_code, everything.status_code) == (400, 400), token
