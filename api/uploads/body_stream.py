"""A request's body as it arrives: bounded in size and time, and never held."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive

from api.http import document_problems, problems
from api.http.problems import Refusal
from api.http.request_body import Disconnected

MIN_BYTES: Final = 16_384
"""What must arrive in every `idle_seconds`: an upload of a byte now and then holds a place for nothing."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """The bounds of one upload."""

    max_bytes: int
    idle_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Stops the timeout around a request's handler while an upload arrives, which has time limits of its own."""

    timeout: asyncio.Timeout
    seconds_after: float
    """What the handler gets from the upload's end on."""
    when_ended: Callable[[], None]

    def begin(self) -> None:
        self.timeout.reschedule(None)

    def end(self) -> None:
        self.timeout.reschedule(asyncio.get_running_loop().time() + self.seconds_after)
        self.when_ended()


class BodyStream:
    """The chunks of one body, to be iterated once. Raises a Refusal at a limit and Disconnected when the client leaves."""

    def __init__(self, receive: Receive, limits: UploadLimits, content_length: str | None, pause: Pause) -> None:
        """Raises a Refusal when the announced length is beyond the limit: then not a byte is read."""
        self.announced_bytes = int(content_length[:20]) if content_length and content_length.isdigit() else None
        if self.announced_bytes is not None and self.announced_bytes > limits.max_bytes:
            raise problems.body_too_large(limits.max_bytes)
        self.received_bytes = 0
        self._receive = receive
        self._limits = limits
        self._pause = pause
        self._ended = False
        self._began_at = time.monotonic()
        self._waited_seconds = 0.0
        """For the client, since the last MIN_BYTES. What we take to store them doesn't count."""
        self._unrewarded_bytes = 0
        self._stopped_by: Refusal | None = None
        self._timer: asyncio.Timeout | None = None

    def stop(self, refusal: Refusal) -> None:
        """Ends the upload with this refusal, at once if it waits for the client."""
        self._stopped_by = refusal
        if self._timer is not None:
            self._timer.reschedule(asyncio.get_running_loop().time())

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._ended:
            chunk = await self._next()
            if chunk:
                yield chunk

    async def _next(self) -> bytes:
        self._pause.begin()
        seconds = self._seconds_left()
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(seconds) as self._timer:
                message = await self._receive()
        except TimeoutError:
            raise self._stopped_by or self._too_slow() from None
        finally:
            self._timer = None
        if self._stopped_by is not None:
            raise self._stopped_by
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk: bytes = message.get("body", b"")
        self._count(chunk, time.monotonic() - began_at)
        if self.received_bytes > self._limits.max_bytes:
            raise problems.body_too_large(self._limits.max_bytes)
        if not message.get("more_body", False):
            self._ended = True
            self._pause.end()
        return chunk

    def _seconds_left(self) -> float:
        of_all = self._began_at + self._limits.total_seconds - time.monotonic()
        return max(0.0, min(self._limits.idle_seconds - self._waited_seconds, of_all))

    def _count(self, chunk: bytes, waited_seconds: float) -> None:
        self.received_bytes += len(chunk)
        self._unrewarded_bytes += len(chunk)
        if self._unrewarded_bytes >= MIN_BYTES:
            self._unrewarded_bytes, self._waited_seconds = 0, 0.0
        else:
            self._waited_seconds += waited_seconds

    def _too_slow(self) -> Refusal:
        if time.monotonic() - self._began_at >= self._limits.total_seconds:
            return document_problems.upload_too_long(self._limits.total_seconds)
        return document_problems.upload_stalled(MIN_BYTES, self._limits.idle_seconds)
