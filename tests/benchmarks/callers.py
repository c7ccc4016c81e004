"""`python -m tests.benchmarks.callers URL CONNECTIONS SECONDS`: posts as fast as it is answered, and tells how fast that was.

Each connection is kept and sends its next request when the last one is answered. Bytes go out as they were made once and
answers are read no further than needed, so that the caller takes a small part of what the ingress does. The body comes
from the file CALLERS_BODY names, the credential from CALLERS_KEY; what was found goes into the file CALLERS_FOUND names.
"""

import asyncio
import json
import os
import re
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

WARM_SECONDS = 2.0
MAX_ERROR_BYTES = 300
FEWEST = 20
"""Answers without which the middle one says nothing. Requests of a thousand jobs come ten a second."""
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """What the callers measured, once everything was warm."""

    requests: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Log:
    """What all connections together have heard."""

    seconds: list[float] = field(default_factory=list)
    refused: bytes = b""
    open: bool = True


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, log: Log) -> None:
        self._request = request
        self._log = log
        self._received = b""
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(_HEAD_END)
        length = _LENGTH.search(head) if found else None
        if length is None or len(rest) < int(length[1]):
            return
        self._log.seconds.append(time.perf_counter() - self._asked_at)
        if not head.startswith(b"HTTP/1.1 202"):
            self._log.refused = self._log.refused or self._received[:MAX_ERROR_BYTES]
            self._log.open = False
        self._received = b""
        if self._log.open:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._log.open:
            self._log.refused = self._log.refused or f"the connection was closed: {exc}".encode()
            self._log.open = False

    def _ask(self) -> None:
        self._asked_at = time.perf_counter()
        self._transport.write(self._request)


async def call(url: str, connections: int, seconds: float, body: bytes, key: str) -> Found:
    """SystemExit with what was answered when anything but 202 was."""
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 80
    log, request = Log(), _request(where.netloc, where.path, body, key)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Caller(request, log), host, port)
    await asyncio.sleep(WARM_SECONDS)
    log.seconds.clear()
    begun_at, cpu_before = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    heard, took = list(log.seconds), time.perf_counter() - begun_at
    cpu_seconds = time.process_time() - cpu_before
    log.open = False
    if log.refused or len(heard) < FEWEST:
        sys.exit(f"{len(heard)} answers; first refusal: {log.refused.decode(errors='replace') or 'none'}")
    hundredths = statistics.quantiles(heard, n=100, method="inclusive")
    return Found(len(heard), took, cpu_seconds, hundredths[49] * 1_000, hundredths[98] * 1_000)


def _request(host: str, path: str, body: bytes, key: str) -> bytes:
    head = [
        f"POST {path} HTTP/1.1",
        f"host: {host}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *([f"authorization: Bearer {key}"] if key else []),
    ]
    return "\r\n".join(head).encode() + _HEAD_END + body


def main() -> None:
    url, connections, seconds = sys.argv[1:]
    body = Path(os.environ["CALLERS_BODY"]).read_bytes()
    found = uvloop.run(call(url, int(connections), float(seconds), body, os.environ.get("CALLERS_KEY", "")))
    Path(os.environ["CALLERS_FOUND"]).write_text(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
