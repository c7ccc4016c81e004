"""`python -m tests.benchmarks.listeners EVENTS`: one reader of an event stream for each path in a file, in one process.

Each event says in its data when it happened, on the machine's monotonic clock; what a reader notes is how long after
that its bytes arrived. Events that say 0 only warm up. Once each reader has had an event the process says "all hear", and
when all readers together have had EVENTS timed ones it writes their seconds into the file LISTENERS_FOUND names.
"""

import asyncio
import os
import re
import sys
import time
from array import array
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

MOST_OPENING = 100
"""Connections on their way at a time: a thousand at once would measure the opening."""
MOST_FRAME_BYTES = 100_000
_WHEN = re.compile(rb'"happened": ?([\d.]+)')


class Hall:
    """All readers together."""

    def __init__(self, readers: int, events: int) -> None:
        self.waits = array("d")
        self.all_heard = asyncio.Event()
        self.done = asyncio.Event()
        self._silent = readers
        self._events = events

    def heard_first(self) -> None:
        self._silent -= 1
        if not self._silent:
            self.all_heard.set()

    def heard(self, wait: float) -> None:
        self.waits.append(wait)
        if len(self.waits) >= self._events:
            self.done.set()


class Reader(asyncio.Protocol):
    """One stream."""

    def __init__(self, request: bytes, hall: Hall) -> None:
        self._request = request
        self._hall = hall
        self._received = b""
        self._began = False
        self.opened = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.opened.is_set():
            if not data.startswith(b"HTTP/1.1 200"):
                sys.exit(f"no stream: {data[:300].decode(errors='replace')}")
            self.opened.set()
        *frames, self._received = (self._received + data).split(b"\n\n")
        for frame in frames:
            self._hear(frame, now)
        if len(self._received) > MOST_FRAME_BYTES:
            sys.exit("a frame has no end")

    def connection_lost(self, exc: Exception | None) -> None:
        sys.exit(f"a stream was closed: {exc}")

    def _hear(self, frame: bytes, now: float) -> None:
        if b"data: {" not in frame:
            return
        if not self._began:
            self._began = True
            self._hall.heard_first()
        found = _WHEN.search(frame)
        if found is not None and (happened := float(found[1])):
            self._hall.heard(now - happened)


async def listen(base: str, paths: list[str], events: int, key: str) -> "array[float]":
    """The waits, once there are so many."""
    where, hall = urlsplit(base), Hall(len(paths), events)
    host, port = where.hostname or "", where.port or 80
    loop, opening = asyncio.get_running_loop(), asyncio.Semaphore(MOST_OPENING)

    async def open_stream(path: str) -> None:
        request = f"GET {path} HTTP/1.1\r\nhost: {where.netloc}\r\nauthorization: Bearer {key}\r\n\r\n".encode()
        async with opening:
            _, reader = await loop.create_connection(lambda: Reader(request, hall), host, port)
            await reader.opened.wait()

    await asyncio.gather(*(open_stream(path) for path in paths))
    print("all are open", flush=True)
    await hall.all_heard.wait()
    print("all hear", flush=True)
    await hall.done.wait()
    return hall.waits


def main() -> None:
    paths = Path(os.environ["LISTENERS_PATHS"]).read_text().split()
    waits = uvloop.run(listen(os.environ["LISTENERS_URL"], paths, int(sys.argv[1]), os.environ["LISTENERS_KEY"]))
    found = Path(os.environ["LISTENERS_FOUND"])
    whole = found.with_suffix(".whole")
    whole.write_bytes(waits.tobytes())
    whole.rename(found)


if __name__ == "__main__":
    main()
