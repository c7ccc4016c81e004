"""Server-sent events out of the bytes of a response.

The SDKs' typed events cost three times the processor time of what we need of them: an event's name and its JSON.
"""

from collections.abc import Iterator
from typing import Any

from jiter import from_json

MAX_EVENT_BYTES = 16_000_000
"""The last event of a response has all of its text once more."""
DONE = b"[DONE]"
"""What ends a stream of chat completions. It is no JSON."""


class StreamMalformed(Exception):
    """The bytes are no events, or an event is no JSON object. The message says which, without quoting it."""


class EventSplitter:
    """Feed it a response's bytes in pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that is complete now. Names aren't needed: every provider repeats them in the data."""
        # Line ends may be CRLF; a piece may end between the two, so they are made one here and not at the line's end.
        self._rest += piece.replace(b"\r", b"")
        while (end := self._rest.find(b"\n\n", self._searched)) >= 0:
            block = bytes(self._rest[:end])
            del self._rest[: end + 2]
            self._searched = 0
            if data := _data_of(block):
                yield data
        self._searched = max(len(self._rest) - 1, 0)
        if len(self._rest) > MAX_EVENT_BYTES:
            raise StreamMalformed(f"an event is longer than {MAX_EVENT_BYTES} bytes")


def json_of(data: bytes) -> dict[str, Any]:
    """The JSON object of an event or of a whole response. StreamMalformed when it is none."""
    try:
        found = from_json(data)
    except ValueError:
        raise StreamMalformed("what came is no JSON") from None
    if not isinstance(found, dict):
        raise StreamMalformed(f"what came is a JSON {type(found).__name__}, not an object")
    return found


def _data_of(block: bytes) -> bytes:
    lines = (line.partition(b":") for line in block.split(b"\n"))
    return b"\n".join(value.removeprefix(b" ") for name, _, value in lines if name == b"data")
