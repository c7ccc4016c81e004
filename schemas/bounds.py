"""Limits on the depth and size of JSON, checked in its text before it is parsed.

The limits are nested: free-form values < stored values < request bodies < what every parser accepts (jiter and pydantic 200
levels, orjson 254). So whatever was stored can be read, listed and sent back.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

MAX_FREE_LEVELS: Final = 64
"""Of a free-form value, whose shape the client chooses."""
MAX_STORED_LEVELS: Final = 80
"""Of a command, a result, an event's data or a problem: a free-form value inside its model."""
MAX_REQUEST_LEVELS: Final = 96
"""Of a request body: commands inside a batch."""

MAX_FREE_VALUES: Final = 50_000
"""Elements, members and containers of a free-form value and of a request. Bounds the time of a check."""
MAX_BATCH_VALUES: Final = 100_000
"""Of a batch request, whose commands are checked one by one."""
MAX_COMMAND_BYTES: Final = 4_000_000
"""More than a request may have, since a command with its defaults filled in is longer than as sent."""
MAX_SCHEDULED_BYTES: Final = 256_000
"""Of a schedule's command: the dispatcher loads a hundred schedules at a time."""
MAX_RESULT_BYTES: Final = 8_000_000
MAX_RESULT_VALUES: Final = 200_000
MAX_RECORDED_BYTES: Final = 256_000
"""Of an event that a run records before it ends."""

_STRUCTURE = b"[]{},"
_NOT_STRUCTURE = bytes(set(range(256)) - set(_STRUCTURE))
_STEPS = [1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)]
_SLICE = 1 << 15


class OutOfBounds(ValueError):
    """A value is too deep or too large to be stored. The message names the limit; store less, or nest less."""


def check_command(text: str) -> None:
    """Raises OutOfBounds when the JSON is too large or too deep for a job's command."""
    if len(text) > MAX_COMMAND_BYTES:
        raise OutOfBounds(f"the command has {len(text):,} bytes; at most {MAX_COMMAND_BYTES:,} are kept")
    if too_deep(text, MAX_STORED_LEVELS):
        raise OutOfBounds(f"the command has more than {MAX_STORED_LEVELS} levels of objects and arrays")


def check_scheduled(text: str) -> None:
    """Raises OutOfBounds when the JSON is too large or too deep for a schedule's command."""
    if len(text) > MAX_SCHEDULED_BYTES:
        raise OutOfBounds(f"the schedule's command has {len(text):,} bytes; at most {MAX_SCHEDULED_BYTES:,} are kept")
    check_command(text)


def check_result(text: str) -> None:
    """Raises OutOfBounds when the JSON is too large or too deep for a job's result."""
    if len(text) > MAX_RESULT_BYTES:
        raise OutOfBounds(f"the result has {len(text):,} bytes; at most {MAX_RESULT_BYTES:,} are kept")
    # A value has at least two bytes, its comma included.
    if len(text) > 2 * MAX_RESULT_VALUES and too_many_values(text, MAX_RESULT_VALUES):
        raise OutOfBounds(f"the result has more than {MAX_RESULT_VALUES:,} values")
    if too_deep(text, MAX_STORED_LEVELS):
        raise OutOfBounds(f"the result has more than {MAX_STORED_LEVELS} levels of objects and arrays")


def check_recorded(text: str) -> None:
    """Raises OutOfBounds when the JSON is too large or too deep for an event that a run records."""
    size = len(text.encode())
    if size > MAX_RECORDED_BYTES:
        raise OutOfBounds(f"the event has {size:,} bytes; at most {MAX_RECORDED_BYTES:,} are kept of one event")
    if too_deep(text, MAX_STORED_LEVELS):
        raise OutOfBounds(f"the event has more than {MAX_STORED_LEVELS} levels of objects and arrays")


def too_deep(text: str | bytes, max_levels: int) -> bool:
    """Whether the JSON has more levels of objects and arrays. For invalid JSON the answer is undefined."""
    opening = text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")
    if opening <= max_levels:
        return False
    content = text.encode() if isinstance(text, str) else text
    level = 0
    for structure in _structure(content):
        levels = list(accumulate(map(_STEPS.__getitem__, structure.translate(None, b",")), initial=level))
        if max(levels) > max_levels:
            return True
        level = levels[-1]
    return False


def too_many_values(text: str | bytes, max_values: int) -> bool:
    """Whether the JSON has more elements, members and containers than `max_values`."""
    content = text.encode() if isinstance(text, str) else text
    if 1 + _values_in(content) <= max_values:
        return False
    values = 1
    for structure in _structure(content):
        values += _values_in(structure)
        if values > max_values:
            return True
    return False


def _values_in(content: bytes) -> int:
    return content.count(b",") + content.count(b"{") + content.count(b"[")


def _structure(content: bytes) -> Iterator[bytes]:
    """The brackets and commas outside strings, a slice of the text at a time. Uses only bytes methods, whose loops run in
    C."""
    start, inside = 0, 0
    while start < len(content):
        piece = content[start : start + _SLICE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece = content[start : start + _SLICE + 1]  # Keeps an escape sequence within one slice.
        start += len(piece)
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b"".join(parts[inside::2]).translate(None, _NOT_STRUCTURE)
        inside ^= (len(parts) - 1) % 2
