"""`python -m tests.benchmarks.listeners EVENTS`: one reader of an event stream for each path in a file, in one process.

Each event says in its data when it happened, on the machine's monotonic clock; what a reader notes is how long after
that its bytes arrived. Events that say 0 only warm up. Once each reader has had an event the process says "all hear", and
when all readers together have had EVENTS timed ones it writes their seconds into the file LISTENERS_FOUND names.

With a `redis://` address the paths are channels, and what is published on them is read in the same way.

Two things would be measured that aren't the writer's. Readers that understand each frame as it comes are slower than who
writes to them: so what arrives is only stamped, and read when nothing has arrived for QUIET_SECONDS. And readers that sleep
on the writer's own machine are woken by it, at half as much again for each write: so until then they look without sleeping.
"""

import os
import re
import selectors
import signal
import socket
import sys
import time
from array import array
from pathlib import Path
from urllib.parse import urlsplit

MOST_OPENING = 100
"""Connections on their way at a time: a thousand at once would measure the opening."""
MOST_FRAME_BYTES = 100_000
MOST_UNREAD = 20_000
QUIET_SECONDS = 0.003
RECEIVE_BYTES = 65_536
CONNECT_SECONDS = 10.0
_WHEN = re.compile(rb'"happened": ?([\d.]+)')

Arrived = tuple["Reader", bytes, float]


class Reader:
    """One stream."""

    def __init__(self, address: tuple[str, int], request: bytes, welcome: bytes) -> None:
        self.connection = socket.create_connection(address, CONNECT_SECONDS)
        self.connection.sendall(request)
        self.connection.setblocking(False)
        self._welcome = welcome
        self._received = b""
        self.opened = False
        self.heard = False

    def read(self, data: bytes, arrived_at: float) -> list[float]:
        """How long ago each event happened that has come whole with these bytes."""
        if not data:
            sys.exit("a stream was closed")
        if not self.opened and not data.startswith(self._welcome):
            sys.exit(f"no stream: {data[:300].decode(errors='replace')}")
        self.opened = True
        *frames, self._received = (self._received + data).split(b"\n\n")
        if len(self._received) > MOST_FRAME_BYTES:
            sys.exit("a frame has no end")
        events = [frame for frame in frames if b"data: {" in frame]
        self.heard = self.heard or bool(events)
        found = (_WHEN.search(frame) for frame in events)
        return [arrived_at - when for one in found if one is not None and (when := float(one[1]))]


class Hall:
    """All readers together."""

    def __init__(self) -> None:
        self.readers: list[Reader] = []
        self.waits = array("d")
        self._selector = selectors.DefaultSelector()
        self._arrived: list[Arrived] = []
        self._arrived_at = 0.0

    def open(self, base: str, paths: list[str], key: str) -> None:
        for start in range(0, len(paths), MOST_OPENING):
            opening = [_reader(base, path, key) for path in paths[start : start + MOST_OPENING]]
            for reader in opening:
                self._selector.register(reader.connection, selectors.EVENT_READ, reader)
            self.readers += opening
            while not all(reader.opened for reader in opening):
                self.listen()

    def listen(self) -> None:
        """Stamps what has arrived; reads it once nothing more comes."""
        for chosen, _ in self._selector.select(0 if self._arrived else None):
            reader: Reader = chosen.data
            data = reader.connection.recv(RECEIVE_BYTES)
            self._arrived_at = time.monotonic()
            self._arrived.append((reader, data, self._arrived_at))
        quiet = time.monotonic() - self._arrived_at > QUIET_SECONDS
        if self._arrived and (quiet or len(self._arrived) > MOST_UNREAD):
            for reader, data, at in self._arrived:
                self.waits.extend(reader.read(data, at))
            self._arrived.clear()


def _reader(base: str, path: str, key: str) -> Reader:
    where = urlsplit(base)
    address = (where.hostname or "", where.port or 80)
    if where.scheme == "redis":
        return Reader(address, f"AUTH {where.password}\r\nSUBSCRIBE {path}\r\n".encode(), b"+OK")
    request = f"GET {path} HTTP/1.1\r\nhost: {where.netloc}\r\nauthorization: Bearer {key}\r\n\r\n"
    return Reader(address, request.encode(), b"HTTP/1.1 200")


def main() -> None:
    events, paths = int(sys.argv[1]), Path(os.environ["LISTENERS_PATHS"]).read_text().split()
    hall = Hall()
    hall.open(os.environ["LISTENERS_URL"], paths, os.environ["LISTENERS_KEY"])
    print("all are open", flush=True)
    while not all(reader.heard for reader in hall.readers):
        hall.listen()
    print("all hear", flush=True)
    while len(hall.waits) < events:
        hall.listen()
    found = Path(os.environ["LISTENERS_FOUND"])
    whole = found.with_suffix(".whole")
    whole.write_bytes(hall.waits.tobytes())
    whole.rename(found)
    # Who ends by itself has failed, as the benchmark sees it: it ends this process when it has looked.
    signal.pause()


if __name__ == "__main__":
    main()
