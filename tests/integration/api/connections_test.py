"""Connections without a key: whatever they send or don't, the ingress holds little of it and goes on serving others."""

import re
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from infrastructure.local_stack.supervisor.processes import Program, Running
from infrastructure.settings import Settings
from tests.integration.event_streams import metric
from tests.integration.serving import DOCUMENT, PROCESS, World
from tests.system import ROOT, System
from tests.waiting import GUARD_SECONDS, wait_until

ALIVE = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
BEGUN = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: b"
DESCRIPTORS = 200


@contextmanager
def connected(port: int, said: bytes = b"", address: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(address, 0)) as connection:
        connection.sendall(said)
        yield connection


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the ingress closes; what it breaks off counts as the end."""
    received = b""
    try:
        while some := connection.recv(65_536):
            received += some
    except ConnectionError:
        pass
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def send_for_ever(connection: socket.socket, piece: bytes, most_bytes: int = 20_000_000) -> int:
    """How much is taken before the ingress refuses more."""
    sent = 0
    try:
        while sent < most_bytes:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


# How much comes before a request


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nhost: x\r\n", id="many lines"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: ", id="one line"),
        pytest.param(b"GET /", id="an address"),
        pytest.param(
            b"GET /api/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n", id="a handshake"
        ),
    ],
)
def test_headers_that_never_end_are_refused_and_not_kept(world: World, begin: bytes) -> None:
    piece = b"a" * 9_000 if not begin.endswith(b"\r\n") else b"x-a: " + b"a" * 9_000 + b"\r\n"
    before = _resident_bytes()
    with connected(world.port, begin) as connection:
        sent = send_for_ever(connection, piece)
        answer = answer_of(connection)

    assert sent < 20_000_000
    assert status_of(answer) == 431 or not answer, answer[:200]
    assert _resident_bytes() - before < 10_000_000


def test_too_many_or_too_large_headers_get_431(world: World) -> None:
    heads = {
        "10,000 lines": b"".join(b"a: b\r\n" for _ in range(10_000)),
        "101 lines": b"".join(b"a: b\r\n" for _ in range(100)),
        "a large one": b"a: " + b"b" * 70_000 + b"\r\n",
    }
    for name, head in heads.items():
        with connected(world.port, b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n") as connection:
            answer = answer_of(connection)
        assert status_of(answer) == 431, name
        assert b"application/problem+json" in answer
        assert b"headers-too-large" in answer
    with connected(
        world.port, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + b"a: b\r\n" * 98 + b"\r\n"
    ) as fits:
        assert status_of(answer_of(fits)) == 200


def test_whoever_asked_before_is_answered_before_too_large_headers_end_it(world: World) -> None:
    with connected(world.port, ALIVE * 2 + b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5_000) as connection:
        answer = answer_of(connection)

    assert answer.count(b"HTTP/1.1 200") == 2


def test_what_comes_behind_a_body_is_no_header_and_not_kept(world: World) -> None:
    """Trailers must not pass for headers: an Authorization there proves nothing."""
    head = f"POST {PROCESS} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n"
    with connected(world.port, head.encode()) as smuggling:
        smuggling.sendall(f"authorization: Bearer {world.tenant().key}\r\n\r\n".encode())
        smuggling.shutdown(socket.SHUT_WR)
        assert status_of(answer_of(smuggling)) == 401
    with connected(world.port, head.encode() + b"x-a: ") as endless:
        assert send_for_ever(endless, b"a" * 9_000) < 20_000_000


def test_requests_that_dont_wait_for_answers_are_bounded(world: World) -> None:
    with connected(world.port, ALIVE * 1_000) as connection:
        answered = answer_of(connection).count(b"HTTP/1.1 200")

    assert 32 <= answered < 200


# How long it takes


@pytest.mark.parametrize("said", [b"", BEGUN, b"\r\n"], ids=["nothing", "half a head", "an empty line"])
def test_a_connection_that_says_no_more_is_closed_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("api.protocol.http.FIRST_BYTE_SECONDS", 0.5)
    monkeypatch.setattr("api.protocol.http.HEAD_SECONDS", 0.5)
    with connected(world.port, said) as fresh, connected(world.port, ALIVE) as used:
        assert used.recv(65_536).startswith(b"HTTP/1.1 200")
        used.sendall(said)
        assert status_of(answer_of(fresh)) == (408 if said == BEGUN else 0)
        if said:
            assert status_of(answer_of(used)) == (408 if said == BEGUN else 0)


def test_headers_that_drip_are_closed_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.protocol.http.HEAD_SECONDS", 1.0)
    with connected(world.port, b"GET /healthz HTTP/1.1\r\nx-a: ") as connection:
        connection.settimeout(0.1)
        answer, until = b"", time.monotonic() + GUARD_SECONDS
        while not answer and time.monotonic() < until:
            connection.sendall(b"a")
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                continue

    assert status_of(answer) == 408


def test_an_answer_that_nobody_reads_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.protocol.unread.UNREAD_SECONDS", 1.0)
    before = metric('bucatini_connections_refused_total{reason="unread"}')
    with ExitStack() as connections:
        for _ in range(5):
            connection = connections.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect(("127.0.0.1", world.port))
            connection.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n" * 20)
        wait_until(
            lambda: metric('bucatini_connections_refused_total{reason="unread"}') >= before + 5,
            "who reads nothing is let go",
        )


# How many there are


@pytest.fixture
def small(api_settings: Settings) -> Iterator[World]:
    """An ingress with 20 places, 16 for an address."""
    few = api_settings.model_copy(update={"max_connections": 20, "max_connections_per_address": 16})
    with World(few) as world:
        yield world


def test_one_address_cant_take_every_place(small: World) -> None:
    key = small.tenant().key
    with ExitStack() as connections:
        for _ in range(16):
            _busy(connections, small, key, "127.0.0.2")
        with connected(small.port, ALIVE, "127.0.0.2") as one_more:
            refused = answer_of(one_more)
        with connected(small.port, ALIVE) as other:
            served = other.recv(65_536)

    assert status_of(refused) == 503
    assert b"retry-after: 1" in refused
    assert b"too-many-connections" in refused
    assert status_of(served) == 200


def test_beyond_all_places_newcomers_get_503(small: World) -> None:
    key = small.tenant().key
    with ExitStack() as connections:
        for number in range(20):
            _busy(connections, small, key, f"127.0.0.{2 + number % 2}")
        with connected(small.port, ALIVE) as one_more:
            refused = answer_of(one_more)
    with small.http() as http:
        wait_until(lambda: http.get("/healthz").status_code == 200, "there is room again")

    assert status_of(refused) == 503


def test_silent_connections_give_their_places_to_those_who_ask(small: World) -> None:
    with ExitStack() as connections:
        silent = [connections.enter_context(connected(small.port, BEGUN)) for _ in range(8)]
        idle = [connections.enter_context(connected(small.port, ALIVE)) for _ in range(8)]
        for one in idle:
            assert status_of(one.recv(65_536)) == 200
        with small.http() as http:
            wait_until(lambda: _status(http) == 200, "somebody gives up a place")
        assert status_of(answer_of(silent[0])) == 503, "the one that waited longest"
        idle[-1].sendall(ALIVE)
        assert status_of(idle[-1].recv(65_536)) == 200, "the last one keeps its place"


def test_with_few_descriptors_silent_connections_keep_nobody_out(system: System, tmp_path: Path) -> None:
    """600 connections that say nothing or half of something, with 200 descriptors: who asks is answered."""
    serving = Running(
        Program(
            name="api",
            argv=("/bin/sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "{sys.executable}" -m api'),
            log=tmp_path / "api.log",
            environment={**system.environment, "API_PORT": "0"},
            folder=ROOT,
        )
    )
    system.processes.append(serving)
    serving.await_ready(lambda: serving.said("ready: http"), within_seconds=GUARD_SECONDS)
    found = re.search(r"ready: http://127.0.0.1:(\d+)", serving.program.log.read_text())
    assert found is not None
    port = int(found[1])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as connections:
            for number in range(600):
                connections.enter_context(connected(port, BEGUN if number % 2 else b""))
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as http:
                wait_until(lambda: _status(http) == 200, "the ingress answers")
                assert [_status(http) for _ in range(20)].count(200) >= 15
                wait_until(lambda: http.get("/readyz").json()["status"] == "ready", "nothing else lacks a descriptor")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" not in serving.program.log.read_text()


def test_a_request_that_never_comes_whole_doesnt_hold_up_a_stopping_ingress(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.__main__.RECEIVE_SECONDS", 0.5)
    head = (
        f"POST {PROCESS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.tenant().key}\r\n"
        "content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    with connected(world.port, head.encode()) as half, world.http(world.tenant()) as http:
        assert http.post(PROCESS, json=DOCUMENT).status_code == 202
        wait_until(lambda: world.under_way == 1, "the half request is under way")
        began = time.monotonic()
        world.stop()
        assert time.monotonic() - began < 15
        answer = answer_of(half)

    assert status_of(answer) == 503
    assert b"/problems/stopping" in answer


def _busy(connections: ExitStack, world: World, key: str, address: str) -> None:
    """A connection with a request under way: its body is yet to come."""
    head = (
        f"POST {PROCESS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    under_way = world.under_way
    connections.enter_context(connected(world.port, head.encode(), address))
    wait_until(lambda: world.under_way == under_way + 1, "the request is under way")


def _status(http: httpx.Client) -> int:
    try:
        return http.get("/healthz", headers={"connection": "close"}).status_code
    except httpx.TransportError:
        return 0


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
