"""How deep and how large JSON may be, wherever it comes from: counted in its text, before anything is made of it.

The limits lie inside one another: free values < what is stored < what a request may hold < what the parsers of every
reader take (jiter and pydantic 200 levels, orjson 254). So whatever was kept can be read, listed and sent back.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

MAX_FREE_LEVELS: Final = 64
"""Of a value whose shape is the caller's own."""
MAX_STORED_LEVELS: Final = 80
"""Of a command, a result, an event's data or a problem: free values and what their own models put around them."""
MAX_REQUEST_LEVELS: Final = 96
"""Of a request's body: commands, and what a batch puts around them."""

MAX_REQUEST_VALUES: Final = 100_000
MAX_COMMAND_BYTES: Final = 4_000_000
"""Beyond what a request may have: spelled out, with its defaults, a command is longer than it was sent."""
MAX_RESULT_BYTES: Final = 8_000_000
MAX_RESULT_VALUES: Final = 200_000

_STRUCTURE = b"[]{},"
_NOT_STRUCTURE = bytes(set(range(256)) - set(_STRUCTURE))
_STEPS = [1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)]
_SLICE = 1 << 18


def too_deep(text: str | bytes, max_levels: int) -> bool:
    """Whether the JSON has more levels of objects and arrays. What isn't JSON may be either."""
    content = text.encode() if isinstance(text, str) else text
    if content.count(b"{") + content.count(b"[") <= max_levels:
        return False
    level = 0
    for structure in _structure(content):
        levels = list(accumulate(map(_STEPS.__getitem__, structure.translate(None, b",")), initial=level))
        if max(levels) > max_levels:
            return True
        level = levels[-1]
    return False


def too_many_values(text: str | bytes, max_values: int) -> bool:
    """Whether the JSON has more elements, members and containers."""
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
    """The brackets and commas outside strings, a slice of the text at a time. All loops are C's: a megabyte takes
    milliseconds."""
    start, inside = 0, 0
    while start < len(content):
        piece = content[start : start + _SLICE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece = content[start : start + _SLICE + 1]  # An escape stays in one piece.
        start += len(piece)
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b"".join(parts[inside::2]).translate(None, _NOT_STRUCTURE)
        inside ^= (len(parts) - 1) % 2
