"""`python -m tests.benchmarks.listeners EVENTS`: one reader of an event stream for each path in a file, in one process.

Each event says in its data when it happened, by the machine's clock; what a reader notes is how long after that its bytes
arrived. Events that say 0 only warm up. Once each reader has had an event the process says "all hear", and when all
readers together have had EVENTS timed ones it writes their seconds into the file LISTENERS_FOUND names.

With a `redis://` address the paths are channels, and what is published on them is read in the same way.

When bytes arrived is what the kernel says of them (SO_TIMESTAMPNS in Linux' socket(7), here by its number, since Python has
no name for it). A thousand readers are on other machines than who writes to them: here they would take the cores it needs
just then, if they woke at every write, and their own queue would be measured with it. So they look every LOOK_SECONDS.
Fewer than MANY look as soon as something arrives: of several events that are read together only the last one's stamp is
left, and one reader of a hundred a second would pass it off as the others' too. Elsewhere than on Linux bytes are stamped when they are looked at, without a pause.
"""

import os
import re
import selectors
import signal
import socket
import struct
import sys
import time
from array import array
from pathlib import Path
from urllib.parse import urlsplit

MAX_OPENING = 100
"""Connections on their way at a time: a thousand at once would measure the opening."""
MAX_FRAME_BYTES = 100_000
STAMPED_BY_THE_KERNEL = sys.platform == "linux"
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@qq")
LOOK_SECONDS = 0.01
MANY = 10
RECEIVE_BYTES = 65_536
CONNECT_SECONDS = 10.0
_WHEN = re.compile(rb'"happened": ?([\d.]+)')


class Reader:
    """One stream."""

    def __init__(self, address: tuple[str, int], request: bytes, welcome: bytes) -> None:
        self.connection = socket.create_connection(address, CONNECT_SECONDS)
        if STAMPED_BY_THE_KERNEL:
            self.connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.connection.sendall(request)
        self.connection.setblocking(False)
        self._welcome = welcome
        self._received = b""
        self.opened = False
        self.heard = False

    def read(self) -> list[float]:
        """How long ago each event happened that has come whole with the bytes that are there."""
        data, notes, *_ = self.connection.recvmsg(RECEIVE_BYTES, socket.CMSG_SPACE(TIMESPEC.size))
        arrived_at = _stamped(notes)
        if not data:
            sys.exit("a stream was closed")
        if not self.opened and not data.startswith(self._welcome):
            sys.exit(f"no stream: {data[:300].decode(errors='replace')}")
        self.opened = True
        *frames, self._received = (self._received + data).split(b"\n\n")
        if len(self._received) > MAX_FRAME_BYTES:
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

    def open(self, base: str, paths: list[str], key: str) -> None:
        for start in range(0, len(paths), MAX_OPENING):
            opening = [_reader(base, path, key) for path in paths[start : start + MAX_OPENING]]
            for reader in opening:
                self._selector.register(reader.connection, selectors.EVENT_READ, reader)
            self.readers += opening
            while not all(reader.opened for reader in opening):
                self.listen()

    def listen(self) -> None:
        """Reads what has arrived since the last look."""
        patient = STAMPED_BY_THE_KERNEL and len(self.readers) >= MANY
        if patient:
            time.sleep(LOOK_SECONDS)
        for chosen, _ in self._selector.select(0 if patient else None):
            reader: Reader = chosen.data
            self.waits.extend(reader.read())


def _stamped(notes: list[tuple[int, int, bytes]]) -> float:
    for _, kind, stamp in notes:
        if kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESPEC.unpack(stamp)
            return float(seconds + nanoseconds / 1e9)
    return time.time()


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
