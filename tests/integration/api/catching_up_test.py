"""Readers who come back with much behind them: each is led to where it is live, all together cost little more than one,
and who leaves costs nothing any more."""

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
import pytest

from infrastructure.postgres.session import PostgresSession
from schemas.jobs import JobState
from tests.integration.event_streams import await_subscribers, follow, many_events, metric
from tests.integration.serving import Tenant, World
from tests.integration.websockets import watcher
from tests.waiting import GUARD_SECONDS, wait_until

_EVENT = re.compile(rb'id: (\S+)\ndata: .*"subject":"([0-9a-f-]+)"')
AT_ONCE_SECONDS = 2.0
"""Within which a reader is told its first event, in processor time: the ingress works in this process, and what else keeps
the machine busy takes none of it."""


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of connection has been used, by the first word of its name."""
    counted: Counter[str] = Counter()
    run = PostgresSession.run

    async def counting(self: PostgresSession, work: Callable[..., Any]) -> Any:
        counted[self._name.partition(" ")[0]] += 1
        return await run(self, work)

    monkeypatch.setattr(PostgresSession, "run", counting)
    return counted


def test_readers_that_leave_are_read_nothing_more_and_delay_nobody(world: World, reads: Counter[str]) -> None:
    tenant, neighbour = world.tenant(), world.tenant()
    place, its_place = _place(world, tenant), _place(world, neighbour)
    _history(world, tenant, 20_000)
    _history(world, neighbour, 10)
    leaving = [_asking(world, tenant, place) for _ in range(100)]
    await_subscribers(world, 100)
    for connection in leaving:
        connection.close()
    began = time.process_time()
    first = next(follow(world, neighbour, "/api/events", after=its_place))
    second = next(follow(world, tenant, "/api/events", after=place))
    took = time.process_time() - began
    wait_until(lambda: metric("bucatini_sse_subscribers") == 0, "all have left")

    assert (first.seq, second.seq) == (1, 1)
    assert took < AT_ONCE_SECONDS
    # All there is takes twenty reads.
    assert reads["catch-up"] < 60


def test_readers_who_come_back_for_ever_get_on_each_time(world: World) -> None:
    """Each takes what comes in a moment, leaves, and goes on from there; meanwhile more and more happens."""
    tenant = world.tenant()
    place = _place(world, tenant)
    _history(world, tenant, 1_000)
    stop = threading.Event()
    with ThreadPoolExecutor(7) as threads:
        writing = threads.submit(_happen_until, world, tenant, stop)
        readers = [threads.submit(_come_back_and_again, world, tenant, place, 1_200) for _ in range(6)]
        try:
            heard = [reader.result(timeout=GUARD_SECONDS) for reader in readers]
        finally:
            stop.set()
        writing.result(timeout=GUARD_SECONDS)

    assert all(Counter(one).most_common(1)[0][1] == 1 for one in heard)
    expected = {str(row[0]) for row in _rows(world, tenant)}
    assert all(set(one) <= expected and len(one) >= 1_200 for one in heard)


def test_many_readers_near_by_cost_little_more_than_one(world: World, reads: Counter[str]) -> None:
    tenant = world.tenant()
    place = _place(world, tenant)
    _history(world, tenant, 3_000)
    all_heard = list(islice(follow(world, tenant, "/api/events", after=place), 3_000))
    world.stop()
    world.start()  # What one reader was read is forgotten.
    reads.clear()
    tokens = [one.resume_by for one in all_heard[:10]]

    def come_back(after: str, count: int) -> list[str]:
        return [one.event.id for one in islice(follow(world, tenant, "/api/events", after=after), count)]

    with ThreadPoolExecutor(10) as threads:
        readers = [threads.submit(come_back, after, 2_999 - number) for number, after in enumerate(tokens)]
        heard = [reader.result(timeout=GUARD_SECONDS) for reader in readers]

    told = [one.event.id for one in all_heard]
    assert heard == [told[number:] for number in range(1, 11)]
    # Three pages and the tail, and for each reader what happened between that and its own joining.
    assert reads["catch-up"] <= 4 + 2 * 10


def test_readers_of_one_jobs_stream_share_what_is_read(world: World, reads: Counter[str]) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    many_events(world, tenant, job_id, 1_000)
    world.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED)
    reads.clear()

    def read_on(after: int) -> list[int]:
        return [one.seq for one in follow(world, tenant, f"/api/jobs/{job_id}/events", after=str(after))]

    with ThreadPoolExecutor(10) as threads:
        readers = [threads.submit(read_on, number * 7) for number in range(10)]
        heard = [reader.result(timeout=GUARD_SECONDS) for reader in readers]

    assert heard == [list(range(number * 7 + 1, 1_003)) for number in range(10)]
    # Each reads to where the next page begins, and the last page by itself; the pages between are read once.
    assert reads["catch-up"] <= 5 + 2 * 10


def test_one_tenants_crowd_delays_neither_another_tenant_nor_a_watcher_nor_a_jobs_reader(world: World) -> None:
    crowded, other = world.tenant(), world.tenant()
    place, its_place = _place(world, crowded), _place(world, other)
    _history(world, crowded, 20_000)
    job_id = world.submit(crowded)
    _history(world, other, 10)
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(closing(_asking(world, crowded, place)))
        began = time.process_time()
        assert next(follow(world, other, "/api/events", after=its_place)).seq == 1
        assert next(follow(world, crowded, f"/api/jobs/{job_id}/events")).seq == 1
        with watcher(world, crowded) as watching:
            watching.say(subscribe={"types": "*", "after": place})
            assert watching.hear_until(lambda message: "event" in message)
        took = time.process_time() - began

    assert took < AT_ONCE_SECONDS


def test_a_stream_gets_past_a_transaction_of_any_size(world: World) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    place = _place(world, tenant)
    many_events(world, tenant, job_id, 9_000)
    many_events(world, tenant, job_id, 10)
    heard = list(islice(follow(world, tenant, "/api/events", after=place), 9_010))

    assert [one.seq for one in heard] == list(range(2, 9_012))


def test_a_place_is_moved_along_while_nothing_is_told_that_is_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.streams.sources.PASSED_SECONDS", 0.0)
    tenant = world.tenant()
    place = _place(world, tenant)
    _history(world, tenant, 3_000)
    with world.http(tenant) as http:
        headers, types = {"last-event-id": place}, {"type": "no.such"}
        with http.stream("GET", "/api/events", headers=headers, params=types) as stream:
            moved = [line for line in islice(stream.iter_lines(), 8) if line.startswith("id: ")]

    assert len(set(moved)) >= 2
    assert f"id: {place}" not in moved


def _place(world: World, tenant: Tenant) -> str:
    return next(world.frames(tenant)).id


def _history(world: World, tenant: Tenant, events: int) -> None:
    """Of ten events in a transaction, each of another job."""
    for _ in range(0, events, 1_000):
        _happen(world.database, tenant, min(events, 1_000))


def _happen(connection: "psycopg.Connection[Any]", tenant: Tenant, events: int) -> None:
    with connection.pipeline():
        for _ in range(0, events, 10):
            connection.execute(
                "INSERT INTO job_events (job_id, seq, tenant_id, type, data) "
                "SELECT uuidv7(), 1, %s, 'job.started', '{\"worker\": 1}' FROM generate_series(1, 10)",
                (tenant.id,),
            )


def _happen_until(world: World, tenant: Tenant, stop: threading.Event) -> None:
    with psycopg.connect(world.settings.database, autocommit=True) as connection:
        while not stop.wait(0.05):
            _happen(connection, tenant, 10)
            world.tell(tenant.id)


def _come_back_and_again(world: World, tenant: Tenant, place: str, enough: int) -> list[str]:
    heard: list[str] = []
    while len(heard) < enough:
        with closing(_asking(world, tenant, place)) as connection:
            told = list(_told(connection, for_seconds=0.5))
        assert told, "each time something was told"
        heard += [event for _, event in told]
        place = told[-1][0]
    return heard


def _told(connection: socket.socket, *, for_seconds: float) -> Iterator[tuple[str, str]]:
    """The place and the job of each event that comes so soon, and of the first however late."""
    unread, ends_at, some = b"", time.monotonic() + for_seconds, False
    while not some or time.monotonic() < ends_at:
        connection.settimeout(max(0.01, ends_at - time.monotonic()) if some else 20)
        try:
            unread += connection.recv(65_536)
        except TimeoutError:
            return
        *whole, unread = unread.split(b"\n\n")
        for found in filter(None, map(_EVENT.search, whole)):
            some = True
            yield found[1].decode(), found[2].decode()


def _asking(world: World, tenant: Tenant, place: str) -> socket.socket:
    """A connection that asks for all behind the place, and reads nothing of it."""
    connection = socket.create_connection(("127.0.0.1", world.port), 20)
    request = (
        f"GET /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\nlast-event-id: {place}\r\n\r\n"
    )
    connection.sendall(request.encode())
    return connection


def _rows(world: World, tenant: Tenant) -> Iterator[tuple[UUID]]:
    yield from world.database.execute("SELECT job_id FROM job_events WHERE tenant_id = %s", (tenant.id,)).fetchall()
