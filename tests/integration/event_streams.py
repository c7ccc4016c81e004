"""Readers of event streams that break off, and writers that write while they read."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import psycopg
from httpx_sse import EventSource

from events.envelope import CloudEvent
from events.streams import STREAM_STARTED
from infrastructure.settings import Settings
from monitoring.metrics.bus import render_metrics
from tests.integration.serving import Tenant, World
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


def follow(world: World, tenant: Tenant, path: str, after: str = "") -> Iterator[Heard]:
    headers = {"last-event-id": after} if after else {}
    with world.http(tenant) as http, http.stream("GET", path, headers=headers) as stream:
        assert stream.status_code == 200
        for said in EventSource(stream).iter_sse():
            if said.data and said.event != STREAM_STARTED:
                yield Heard(CloudEvent.model_validate_json(said.data), said.id)


def read_with_breaks(
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


def write(settings: Settings, jobs: tuple[UUID, UUID], dice: random.Random) -> None:
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


def write_slowly(settings: Settings, job_id: UUID) -> None:
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


def many_events(world: World, tenant: Tenant, job_id: UUID, count: int, data: str = "") -> None:
    world.database.execute(
        "WITH u AS (UPDATE jobs SET seq = seq + %(count)s WHERE id = %(job)s RETURNING seq - %(count)s AS before) "
        "INSERT INTO job_events (job_id, seq, tenant_id, type, data) "
        "SELECT %(job)s, before + n, %(tenant)s, 'job.retrying', jsonb_build_object('data', %(data)s::text) "
        "FROM u, generate_series(1, %(count)s) n ORDER BY n",
        {"job": job_id, "tenant": tenant.id, "count": count, "data": data},
    )
    world.tell(tenant.id)


def tell_now_and_then(world: World, tenant: Tenant, dice: random.Random, stop: threading.Event) -> None:
    while not stop.is_set():
        world.tell(tenant.id)
        stop.wait(dice.uniform(0, 0.05))


def tell_twice(world: World, tenant: Tenant) -> None:
    for _ in range(2):
        world.tell(tenant.id)


def rows_of(world: World, tenant: Tenant) -> list[tuple[UUID, int, str]]:
    statement = "SELECT job_id, seq, type FROM job_events WHERE tenant_id = %s"
    return [(row[0], row[1], row[2]) for row in world.database.execute(statement, (tenant.id,)).fetchall()]


def slow_reader(world: World, tenant: Tenant) -> socket.socket:
    """A connection whose stream of all events has begun, and that takes little at a time."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", world.port))
    request = f"GET /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\n\r\n"
    connection.sendall(request.encode())
    received = b""
    while b"\nid: " not in received:
        received += connection.recv(1)
    return connection


def seqs_on(connection: socket.socket) -> Iterator[int]:
    """The seqs of the events on a raw connection, in the order of their arrival."""
    unread = b""
    while received := connection.recv(65_536):
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            if line.startswith(b'data: {"specversion"'):
                event = CloudEvent.model_validate_json(line.removeprefix(b"data: "))
                yield int(event.id.rpartition(":")[2])


def await_subscribers(world: World, count: int) -> None:
    """Until they have joined: the streams are open, and the hub has read since."""
    wait_until(lambda: metric("bucatini_sse_subscribers") >= count, f"{count} streams are open")
    with world.http() as http:
        assert http.get("/readyz").is_success  # Behind what the streams have asked of PostgreSQL.


def await_subscriptions(count: int) -> None:
    wait_until(lambda: metric("bucatini_socket_subscriptions") >= count, f"{count} subscriptions stand")


def metric(name: str) -> float:
    lines = render_metrics()[0].decode().splitlines()  # The ingress is a thread of this process.
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def long_poll(world: World, tenant: Tenant, job_id: UUID) -> httpx.Response:
    with world.http(tenant) as http:
        return http.get(f"/api/jobs/{job_id}", headers={"prefer": "wait=50"})


def as_bytes(token: str | bytes) -> bytes:
    return token if isinstance(token, bytes) else token.encode()
