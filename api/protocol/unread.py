"""Notices that nobody reads what is being written."""

import asyncio

UNREAD_SECONDS = 30.0
"""A reader that takes nothing for so long is let go."""
MAX_SECONDS = 300.0
"""And so is one that has taken too little for so long, however steadily."""


class Unread:
    """What waits to be read on one connection."""

    __slots__ = ("_bytes", "_since", "_taken_at")

    def __init__(self) -> None:
        self._bytes = 0
        self._since: float | None = None
        self._taken_at = 0.0

    def too_long(self, transport: asyncio.Transport, now: float, *, waiting: bool) -> bool:
        """Whether the reader has had its time. `waiting`: whether more can't be written before it reads."""
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
