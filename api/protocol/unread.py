"""Detects clients that don't read their responses."""

import asyncio

UNREAD_SECONDS = 30.0
"""A client that reads nothing for this long is disconnected."""
MAX_SECONDS = 300.0
"""So is one whose connection has been blocked for this long, however steadily it reads."""


class Unread:
    """The unread output of one connection."""

    __slots__ = ("_bytes", "_since", "_taken_at")

    def __init__(self) -> None:
        self._bytes = 0
        self._since: float | None = None
        self._taken_at = 0.0

    def too_long(self, transport: asyncio.Transport, now: float, *, waiting: bool) -> bool:
        """Whether the client has been too slow. `waiting`: whether the write buffer is full."""
        if not (waiting or transport.is_closing()):
            self._since = None
            return False
        size = transport.get_write_buffer_size()
        if self._since is None:
            self._since = self._taken_at = now
        elif size < self._bytes:
            self._taken_at = now
        self._bytes = size
        return now - self._taken_at >= UNREAD_SECONDS or now - self._since >= MAX_SECONDS
