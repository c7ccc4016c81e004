"""`python -m tests.benchmarks.returning`: readers of a tenant's stream who all come back at once, in one process.

The file RETURNING_PLACES names has a place to resume from for each of them, one a line. Once every reader has had the event
whose data holds MARK, the process writes into the file RETURNING_FOUND names for each how many seconds after the first of
them had begun to connect it had it, and how many events that took.
"""

import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

MARK = b'"the last one"'
EVENT = b"\ndata: {"
RECEIVE_BYTES = 262_144
KEPT_BYTES = len(MARK) - 1
"""Of each read these are kept before the next one's, where what was cut in two is found whole."""
END_BYTES = 4_096
"""The last event is among so many bytes at the end: nothing but its frame's rest and an empty place follow it."""


class Reader:
    """One stream."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.connection = socket.socket()
        self.connection.setblocking(False)
        self.connection.connect_ex(address)
        self.request = request
        self.events = 0
        self._kept = bytes(KEPT_BYTES)

    def read(self, buffer: bytearray) -> bool:
        """Whether the last event was among what is there. Copies nothing: what reading costs here would be taken for ours."""
        buffer[:KEPT_BYTES] = self._kept
        size = self.connection.recv_into(memoryview(buffer)[KEPT_BYTES:])
        if not size:
            sys.exit("a stream was closed")
        end = KEPT_BYTES + size
        self.events += buffer.count(EVENT, KEPT_BYTES - len(EVENT) + 1, end)
        self._kept = bytes(buffer[size:end])
        return buffer.rfind(MARK, max(end - END_BYTES, 0), end) >= 0


def main() -> None:
    where = urlsplit(os.environ["RETURNING_URL"])
    address = (where.hostname or "", where.port or 80)
    places = Path(os.environ["RETURNING_PLACES"]).read_text().split()
    buffer = bytearray(RECEIVE_BYTES)
    took: list[str] = []
    begun_at = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for place in places:
            request = (
                f"GET /api/events HTTP/1.1\r\nhost: {where.netloc}\r\nlast-event-id: {place}\r\n"
                f"authorization: Bearer {os.environ['RETURNING_KEY']}\r\n\r\n"
            )
            reader = Reader(address, request.encode())
            selector.register(reader.connection, selectors.EVENT_WRITE, reader)
        while len(took) < len(places):
            for chosen, ready in selector.select():
                one: Reader = chosen.data
                if ready & selectors.EVENT_WRITE:
                    one.connection.sendall(one.request)
                    selector.modify(one.connection, selectors.EVENT_READ, one)
                elif one.read(buffer):
                    took.append(f"{time.monotonic() - begun_at} {one.events}")
                    selector.unregister(one.connection)
    found = Path(os.environ["RETURNING_FOUND"])
    whole = found.with_suffix(".whole")
    whole.write_text("\n".join(took))
    whole.rename(found)
    # Who ends by itself has failed, as the benchmark sees it: it ends this process when it has looked.
    signal.pause()


if __name__ == "__main__":
    main()
