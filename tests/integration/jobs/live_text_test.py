"""Text is read as a real worker writes it, by whoever listens and nobody else, and is complete whatever happens."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import redis

from events.envelope import CloudEvent
from infrastructure.local_stack.servers.redis import RedisServer
from producers.client import Bucatini, JobFailed, Reset
from producers.client.written_text import WrittenText
from tests.integration.event_streams import follow
from tests.integration.jobs.novel import Scribble, Write, monitored, novel_in, section, whole
from tests.integration.serving import Tenant, World
from tests.integration.websockets import watcher
from tests.system import System
from tests.waiting import GUARD_SECONDS, wait_until

FAST = {"LEASE_SECONDS": "3", "HEARTBEAT_SECONDS": "0.5"}
ENDS = {"job.succeeded", "job.failed", "job.dead", "job.cancelled"}


@pytest.fixture
def novel(tmp_path: Path) -> dict[str, str]:
    return novel_in(tmp_path)


@pytest.fixture
def tenant(system: System, served: World) -> Tenant:
    return served.another_key(system.tenant_id)


class Reader:
    """Reads events in a thread, up to a job's end."""

    def __init__(self, read: Callable[[], Iterator[CloudEvent]]) -> None:
        self.events: list[CloudEvent] = []
        self._read = read
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(httpx.TransportError):
            for event in self._read():
                self.events.append(event)
                if event.type in ENDS:
                    return

    def all(self) -> list[CloudEvent]:
        self._thread.join(timeout=GUARD_SECONDS)
        assert not self._thread.is_alive(), "the job's end comes"
        return self.events


def test_pieces_come_as_they_are_written_to_every_reader_and_to_no_stranger(
    system: System, served: World, tenant: Tenant, novel: dict[str, str], tmp_path: Path
) -> None:
    _work(system, served, tenant, novel)
    (job_id,) = system.submit(Write(begin_at=str(tmp_path / "go")))
    path, stranger = f"/api/jobs/{job_id}/events", served.tenant()
    readers = [
        Reader(lambda: (one.event for one in follow(served, tenant, path))),
        Reader(lambda: (one.event for one in follow(served, tenant, path))),
        Reader(lambda: (one.event for one in follow(served, tenant, "/api/events"))),
        Reader(lambda: _watched(served, tenant, job_id)),
    ]
    others = Reader(lambda: (one.event for one in follow(served, stranger, "/api/events")))
    _await_listeners(system, job_id, tenant.id, stranger.id)
    # Redis counts the ingress once, however many of its readers have joined.
    wait_until(lambda: served.text_listeners(job_id) == 3, "each of the job's readers listens")

    (tmp_path / "go").touch()

    for reader in readers:
        events = reader.all()
        assert len(_deltas(events, 0)) >= 3, "in several pieces"
        assert [_joined(_deltas(events, number)) for number in (0, 1)] == [section(0), section(1)]
        completed = next(place for place, one in enumerate(events) if one.type == "ai.section_completed")
        assert _deltas(events[:completed], 0) == _deltas(events, 0), "a section's pieces come before its end"
        assert len({one.id for one in events}) == len(events)
    assert others.events == []
    assert system.read("SELECT count(*) FROM job_events WHERE type = 'ai.delta'") == [(0,)], "they are never stored"


def test_nothing_is_sent_while_nobody_listens_and_nothing_readable_while_somebody_does(
    system: System, served: World, tenant: Tenant, novel: dict[str, str]
) -> None:
    _work(system, served, tenant, novel)
    with monitored(system.settings.redis) as alone:
        (job_id,) = system.submit(Write())
        system.await_state(job_id, "succeeded")
    with _client(served, tenant) as client, monitored(system.settings.redis) as heard:
        (job_id,) = system.submit(Write(words=100))
        text = "".join(client.jobs.text(job_id))

    assert text == whole(Write(words=100))
    assert not [one for one in alone if one.startswith("PUBLISH bucatini:text:")]
    assert len([one for one in heard if one.startswith("PUBLISH bucatini:text:")]) >= 5
    assert not [one for one in (*alone, *heard) if "word-" in one]


def test_whoever_begins_while_a_section_is_written_gets_it_from_its_start(
    system: System, served: World, tenant: Tenant, novel: dict[str, str]
) -> None:
    _work(system, served, tenant, novel)
    (job_id,) = system.submit(Write(hang_in=0))
    wait_until(lambda: "job.started" in system.timeline(job_id), "it has begun")

    with _client(served, tenant) as client:
        pieces = client.jobs.text(job_id)
        text = ""
        while len(text) < len(section(0)):
            text += next(pieces)
        client.jobs.cancel(job_id)

        assert text == section(0)
        with pytest.raises(JobFailed):
            next(pieces)


def test_a_worker_killed_in_a_section_costs_a_mark_and_no_text(
    system: System, served: World, tenant: Tenant, novel: dict[str, str]
) -> None:
    _work(system, served, tenant, novel)
    doomed = system.processes[-1]
    command = Write(hang_in=1, words=10, reset_in=1)
    (job_id,) = system.submit(command)
    pieces: list[str] = []
    with _client(served, tenant) as client:
        for piece in client.jobs.text(job_id):
            pieces.append(piece)
            if section(1, 10) in "".join(pieces) and doomed.exit_code is None:
                doomed.kill()
                system.start("workers.runtime", "novel", **novel, **FAST)

    assert any(isinstance(piece, Reset) for piece in pieces)
    assert _after_resets(pieces) == whole(command)


def test_a_reset_section_is_told_apart_and_the_final_text_has_none_of_it(
    system: System, served: World, tenant: Tenant, novel: dict[str, str]
) -> None:
    _work(system, served, tenant, novel)
    command = Write(reset_in=1, words=60)
    with _client(served, tenant) as client:
        pieces = list(client.jobs.text(system.submit(command)[0]))
        final = list(client.jobs.text(system.submit(command)[0], live=False))

    assert "bad-1-" in "".join(pieces)
    assert [piece.section for piece in pieces if isinstance(piece, Reset)] == [1]
    assert _after_resets(pieces) == whole(command)
    assert final == [section(0, 60), "\n\n", section(1, 60)]


def test_text_is_complete_though_redis_is_away_meanwhile(
    system: System, served: World, tenant: Tenant, novel: dict[str, str], redis_process: RedisServer
) -> None:
    _work(system, served, tenant, novel)
    command = Write(sections=4, words=60)
    (job_id,) = system.submit(command)
    pieces: list[str] = []
    with _client(served, tenant) as client:
        for piece in client.jobs.text(job_id):
            if not pieces:
                redis_process.kill()
                redis_process.empty()
                redis_process.start()
            pieces.append(piece)

    assert "".join(pieces) == whole(command)


def test_a_reader_that_resumes_gets_what_is_stored_since_and_what_comes(
    system: System, served: World, tenant: Tenant, novel: dict[str, str], tmp_path: Path
) -> None:
    _work(system, served, tenant, novel)
    (job_id,) = system.submit(Write(begin_at=str(tmp_path / "go")))
    wait_until(lambda: "job.started" in system.timeline(job_id), "it has begun")
    resumed = Reader(lambda: (one.event for one in follow(served, tenant, f"/api/jobs/{job_id}/events", after="2")))
    _await_listeners(system, job_id)
    (tmp_path / "go").touch()

    types = [one.type for one in resumed.all()]

    assert types[0] == "ai.delta"
    assert types.count("ai.section_completed") == 2


def test_text_that_no_section_completes_and_that_of_a_thread_are_read_too(
    system: System, served: World, tenant: Tenant, novel: dict[str, str], tmp_path: Path
) -> None:
    _work(system, served, tenant, novel)
    loose = Write(complete=False, begin_at=str(tmp_path / "go"))
    (job_id,) = system.submit(loose)
    with _client(served, tenant) as client:
        read = Reader(lambda: client.jobs.events(job_id))
        _await_listeners(system, job_id)
        (tmp_path / "go").touch()
        written = WrittenText(live=True)
        pieces = [*chain.from_iterable(map(written.take, read.all())), *written.rest()]
        assert "".join(pieces) == whole(loose)
        assert "".join(client.jobs.text(system.submit(Scribble())[0])) == "from a thread"
        failing = client.jobs.text(system.submit(Write(fail=True, words=2, complete=False))[0])
        with pytest.raises(JobFailed):
            list(failing)


def test_many_small_pieces_cost_little_and_are_sent_as_few(
    system: System, served: World, tenant: Tenant, novel: dict[str, str]
) -> None:
    _work(system, served, tenant, novel)
    command = Write(sections=1, words=50_000, pause_seconds=0, complete=False)
    with monitored(system.settings.redis) as heard:
        (job_id,) = system.submit(command)
        with _client(served, tenant) as client:
            list(client.jobs.events(job_id))

    ((result,),) = system.read("SELECT result FROM jobs WHERE id = %s", job_id)
    print(f"50,000 pieces were taken in {result['seconds']:.2f} s")
    assert len([one for one in heard if one.startswith("PUBLISH bucatini:text:")]) < 200


def _work(system: System, served: World, tenant: Tenant, novel: dict[str, str]) -> None:
    """Starts what writes, and has both sides learn the tenant's key: making the vault's own takes as long as a short story."""
    system.dispatcher(RING_AGAIN_SECONDS="1", **FAST)
    system.start("workers.runtime", "novel", **novel, **FAST)
    with _client(served, tenant) as client:
        wait_until(lambda: _reads_live(system, client), "text comes live")


def _reads_live(system: System, client: Bucatini) -> bool:
    (job_id,) = system.submit(Write(words=100))
    return "ai.delta" in [event.type for event in client.jobs.events(job_id)]


def _client(served: World, tenant: Tenant) -> Bucatini:
    return Bucatini(served.url, tenant.key)


def _watched(served: World, tenant: Tenant, job_id: UUID) -> Iterator[CloudEvent]:
    with watcher(served, tenant) as socket:
        socket.say(subscribe={"job": str(job_id)})
        while True:
            if (event := socket.hear(GUARD_SECONDS).get("event")) is not None:
                yield CloudEvent.model_validate(event)


def _await_listeners(system: System, *subjects: UUID) -> None:
    names = [f"bucatini:text:{subject}" for subject in subjects]
    with redis.Redis.from_url(system.settings.redis) as client:
        wait_until(lambda: all(count for _, count in client.pubsub_numsub(*names)), "each is listened to")


def _deltas(events: list[CloudEvent], number: int) -> list[dict[str, object]]:
    found = [one.data or {} for one in events if one.type == "ai.delta"]
    return [data for data in found if data["section"] == number]


def _joined(deltas: list[dict[str, object]]) -> str:
    text = ""
    for delta in deltas:
        assert delta["offset"] == len(text), "each says where it begins"
        text += str(delta["text"])
    return text


def _after_resets(pieces: list[str]) -> str:
    """What counts: from a mark on, the text of the section before it is gone."""
    text: list[str] = []
    for piece in pieces:
        if isinstance(piece, Reset):
            while text and text[-1] != "\n\n":
                text.pop()
        else:
            text.append(piece)
    return "".join(text)
