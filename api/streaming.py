"""Writes an event stream: frames as they come, a heartbeat when none do, and an end when the reader's key falls."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from starlette.types import Receive, Send

from api.authentication import Credentials
from api.frames import HEARTBEAT, PREAMBLE, place_frame
from api.hub import Hub
from api.subscribers import JobEvents, Subscriber, TypedEvents
from infrastructure.batching import Overloaded
from infrastructure.ports import Unavailable
from infrastructure.postgres.credentials import Credential
from infrastructure.postgres.feed import Position
from monitoring import metrics

HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 5.0
"""Between two looks at whether the reader's key still stands."""
SEND_SECONDS = 30.0
"""A reader that takes nothing for so long is let go; it resumes where it was."""
WRITE_BYTES = 64_000

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # nginx would otherwise collect events until a buffer is full.
    (b"x-accel-buffering", b"no"),
]


class ReaderGone(Exception):
    """The reader left, stopped taking, or may not read any longer."""


class Writer:
    """The open answer. Every method raises ReaderGone when there is nobody to write to any more."""

    def __init__(self, send: Send, credentials: Credentials, credential: Credential) -> None:
        self._send = send
        self._credentials = credentials
        self._credential = credential
        self._wrote_at = self._checked_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """For how long nothing needs to be done, unless an event comes."""
        due = min(self._wrote_at + HEARTBEAT_SECONDS, self._checked_at + CHECK_SECONDS)
        return max(0.0, due - time.monotonic())

    async def frames(self, frames: Iterable[bytes]) -> None:
        count, size, held = 0, 0, []
        for frame in frames:
            held.append(frame)
            count += 1
            size += len(frame)
            if size >= WRITE_BYTES:
                await self._write(b"".join(held))
                size, held = 0, []
        if held:
            await self._write(b"".join(held))
        metrics.events_delivered(count)

    async def note(self, frame: bytes) -> None:
        """What isn't an event."""
        await self._write(frame)

    async def keep_up(self, place: Position | None = None) -> None:
        """The heartbeat if one is due, with the reader's place, and the look at its key if that is."""
        now = time.monotonic()
        if now - self._wrote_at >= HEARTBEAT_SECONDS:
            await self._write(HEARTBEAT if place is None else HEARTBEAT + place_frame(place))
        if now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            if not await self._stands():
                raise ReaderGone

    async def _stands(self) -> bool:
        try:
            return await self._credentials.stands(self._credential)
        except (Unavailable, Overloaded):
            # Nobody can say now, and nothing stored can be read either. The next look decides.
            return True

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except TimeoutError:
            raise ReaderGone from None
        self._wrote_at = time.monotonic()


Tell = Callable[[Writer, Subscriber], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EventStream:
    """An answer that lasts until `tell`, which writes it, has no more to say or nobody listens any more."""

    hub: Hub
    credentials: Credentials
    credential: Credential
    wants: JobEvents | TypedEvents
    tell: Tell

    async def run(self, receive: Receive, send: Send) -> None:
        async with self.hub.subscribe(self.credential.tenant_id, self.wants) as subscriber:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            leaving = asyncio.create_task(_leave_with_reader(receive, subscriber), name="waits for a reader to leave")
            try:
                with metrics.sse_subscriber():
                    await self._write(Writer(send, self.credentials, self.credential), subscriber)
            finally:
                leaving.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, writer: Writer, subscriber: Subscriber) -> None:
        try:
            await writer.note(PREAMBLE)
            await self.tell(writer, subscriber)
        except (ReaderGone, Unavailable):
            # What the reader misses it gets when it comes back with the last id it has.
            return


async def _leave_with_reader(receive: Receive, subscriber: Subscriber) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    subscriber.end()
