"""Watchers on real WebSockets."""

import json
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.integration.serving import Tenant, World

Message = dict[str, Any]


class Watcher:
    """One connection, and what it heard."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def say(self, **message: Any) -> None:
        self._connection.send(json.dumps(message))

    def send(self, raw: str | bytes) -> None:
        self._connection.send(raw)

    def close(self) -> None:
        self._connection.close()

    def hear(self, timeout_seconds: float = 10.0) -> Message:
        heard: Message = json.loads(self._connection.recv(timeout=timeout_seconds))
        return heard

    def hear_until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Everything up to the first that is wanted."""
        heard = [self.hear()]
        while not wanted(heard[-1]):
            heard.append(self.hear())
        return heard

    def closed(self, timeout_seconds: float = 12.0) -> tuple[int, str]:
        """How the ingress ended the connection, whatever it said before."""
        with pytest.raises(ConnectionClosed) as caught:
            deque(iter(lambda: self._connection.recv(timeout=timeout_seconds), None))
        assert caught.value.rcvd is not None, "the ingress says why it closes"
        return caught.value.rcvd.code, caught.value.rcvd.reason


@contextmanager
def watcher(world: World, tenant: Tenant | None = None, **headers: str) -> Iterator[Watcher]:
    given = {**({} if tenant is None else tenant.headers), **headers}
    with connect(address(world), additional_headers=given, proxy=None, max_size=None, max_queue=None) as connection:
        yield Watcher(connection)


def address(world: World) -> str:
    return f"ws://127.0.0.1:{world.port}/api/ws"


def unread(world: World, tenant: Tenant) -> socket.socket:
    """A connection that is open and takes little: what it doesn't read stays with the ingress."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", world.port))
    handshake = (
        "GET /api/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        f"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nauthorization: Bearer {tenant.key}\r\n\r\n"
    )
    connection.sendall(handshake.encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    assert received.startswith(b"HTTP/1.1 101")
    return connection


def frame(message: Message) -> bytes:
    """One masked text frame; the mask is all zeros."""
    text = json.dumps(message).encode()
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
