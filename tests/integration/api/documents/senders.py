"""Clients that upload as no library does: slowly, in part, or by their own words."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.settings import Settings
from tests.folders import files_under
from tests.integration.serving import Tenant


def chunks(size_bytes: int, chunk_bytes: int = 65_536) -> Iterator[bytes]:
    """So many bytes, of which no stretch is like another."""
    for start in range(0, size_bytes, chunk_bytes):
        length = min(chunk_bytes, size_bytes - start)
        yield b"".join(b"%015d\n" % (start + at) for at in range(0, length + 16, 16))[:length]


def steadily(size_bytes: int, seconds: float) -> Iterator[bytes]:
    """The same over so many seconds."""
    began_at, sent = time.monotonic(), 0
    for chunk in chunks(size_bytes):
        ahead = began_at + seconds * sent / size_bytes - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        yield chunk
        sent += len(chunk)


def head(tenant: Tenant, path: str = "/api/documents", method: str = "POST", **headers: str) -> bytes:
    """A request's head; names have underscores for hyphens."""
    named = {"host": "x", "content_type": "text/plain", **tenant.headers, **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


@contextmanager
def sending(port: int, *pieces: bytes) -> Iterator[socket.socket]:
    """A connection over which these were sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        yield connection


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the ingress closes the connection."""
    received = b""
    try:
        while some := connection.recv(65_536):
            received += some
    except ConnectionError:
        pass
    return received


def objects_in(settings: Settings) -> list[Path]:
    """All files of the object store, finished or not."""
    return files_under(settings.bucatini_home / "objects")
