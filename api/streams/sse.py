"""Server-Sent Events: writes events, heartbeats while idle, and ends the stream when the client's key is revoked."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass

from starlette.types import Receive, Send

from api.auth.principal import Principal
from api.dependencies import Dependencies
from api.http.responses import Header
from api.streams.catching_up.pages import Chunk
from api.streams.encoding import HEARTBEAT, PREAMBLE, Announced, place_frame, start_frame
from api.streams.sources import EventSink
from api.streams.subscribers import JobEvents, Subscriber, TypedEvents
from infrastructure.concurrency import watched
from infrastructure.ports import Unavailable
from infrastructure.postgres.events.feed import Position
from monitoring.metrics import ingress as ingress_metrics

HEARTBEAT_SECONDS = 15.0
COUNT_SECONDS = 5.0
"""How often the metric of delivered events is updated."""
SEND_SECONDS = 30.0
"""A client that reads nothing for this long is disconnected; it can resume."""
WRITE_BYTES = 64_000

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # Without it nginx would buffer events.
    (b"x-accel-buffering", b"no"),
]


class ClientUnauthorized(Exception):
    """The client's key or token is no longer valid."""


class Writer:
    """The EventSink of one SSE response."""

    def __init__(self, send: Send, frame: Callable[[Announced], bytes]) -> None:
        self._send = send
        self._frame = frame
        self._wrote_at = self._counted_at = time.monotonic()
        self._delivered = 0
        self._blocked_since: float | None = None
        self.unauthorized = False
        """Set when the client's key was revoked or its token has expired."""

    @property
    def idle_seconds(self) -> float:
        due = min(self._wrote_at + HEARTBEAT_SECONDS, self._counted_at + COUNT_SECONDS)
        return max(0.0, due - time.monotonic())

    @property
    def silent_seconds(self) -> float:
        return time.monotonic() - self._wrote_at

    @property
    def blocked_seconds(self) -> float | None:
        """How long the current write has been blocked by the client; None when no write is running."""
        return None if self._blocked_since is None else time.monotonic() - self._blocked_since

    def catching_up(self) -> AbstractAsyncContextManager[object]:
        return nullcontext()

    async def write_events(self, events: Iterable[Announced]) -> None:
        size, frames = 0, []
        for announced in events:
            frame = self._frame(announced)
            frames.append(frame)
            self._delivered += 1
            size += len(frame)
            if size >= WRITE_BYTES:
                await self._write(b"".join(frames))
                size, frames = 0, []
        if frames:
            await self._write(b"".join(frames))

    async def write_stored(self, chunk: Chunk[Position] | Chunk[int]) -> None:
        if chunk.rows:
            self._delivered += len(chunk.rows)
            await self._write(chunk.frames)

    def try_write(self, events: Sequence[Announced]) -> bool:
        # Writes from the fanout's task, so that a thousand tasks needn't wake to write one frame each. `send` either
        # completes without suspending, or suspends before writing anything because the client is slow: then the stream's
        # own task writes, and waits.
        data = b"".join([self._frame(announced) for announced in events])
        if len(data) > WRITE_BYTES and len(events) > 1:
            return False
        writing = self._send({"type": "http.response.body", "body": data, "more_body": True}).__await__()
        try:
            next(writing)
        except StopIteration:
            self._delivered += len(events)
            self._wrote_at = time.monotonic()
            return True
        except (OSError, RuntimeError):
            # The stream's own task will meet the same error and handle it; the other subscribers are unaffected.
            return False
        writing.close()
        return False

    async def write_position(self, position: Position) -> None:
        await self._write(place_frame(position))

    async def write_start(self, position: Position) -> None:
        await self._write(start_frame(position))

    async def begin(self) -> None:
        await self._write(PREAMBLE)

    async def keep_up(self, place: Position | None = None) -> None:
        """Writes a heartbeat with the position if one is due. Raises ClientUnauthorized when the key is no longer valid."""
        now = time.monotonic()
        if now - self._wrote_at >= HEARTBEAT_SECONDS:
            await self._write(HEARTBEAT if place is None else HEARTBEAT + place_frame(place))
        if now - self._counted_at >= COUNT_SECONDS:
            self._counted_at = now
            self.count()
        if self.unauthorized:
            raise ClientUnauthorized

    def count(self) -> None:
        """Adds the events delivered since to the metric: its lock, taken for each event, would cost as much as the write."""
        delivered, self._delivered = self._delivered, 0
        ingress_metrics.events_delivered(delivered)

    async def _write(self, data: bytes) -> None:
        # `send` suspends only when the client is slow, so `_blocked_since` stays set only for a blocked write.
        now = time.monotonic()
        self._blocked_since = now
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._blocked_since = None
        self._wrote_at = now


StreamTo = Callable[[EventSink, Subscriber], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EventStream:
    """A response that lasts until its source ends, the client disconnects or its key is revoked."""

    ingress: Dependencies
    principal: Principal
    wants: JobEvents | TypedEvents
    stream: StreamTo
    frame: Callable[[Announced], bytes]
    """Encodes an event for this stream."""

    @property
    def headers(self) -> Sequence[Header]:
        return _HEADERS

    async def run(self, receive: Receive, send: Send) -> None:
        limits = (await self.ingress.tenants.of(self.principal.tenant_id)).limits
        with self.ingress.streams.one_more(self.principal.tenant_id, limits.streams):
            await self._run(receive, send)

    async def _run(self, receive: Receive, send: Send) -> None:
        async with self.ingress.hub.subscribe(self.principal.tenant_id, self.wants) as subscriber:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            writer = Writer(send, self.frame)
            # In its own task, so that each resumption doesn't pass through the coroutines of the request.
            writing = watched.start(self._write(writer, subscriber), name="writes a stream")
            watching = watched.start(_watch(receive, writer, writing), name="watches a stream's reader")
            subscriber.when_ended(lambda: _let_go(writer, writing))
            try:
                with ingress_metrics.sse_subscriber(), self._while_valid(writer, subscriber):
                    await asyncio.wait((writing,))
            finally:
                writing.cancel()
                watching.cancel()
                writer.count()
            if not writing.cancelled():
                writing.result()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _while_valid(self, writer: Writer, subscriber: Subscriber) -> AbstractContextManager[None]:
        def end() -> None:
            writer.unauthorized = True
            subscriber.end()

        return self.ingress.credentials.while_valid(self.principal, end)

    async def _write(self, writer: Writer, subscriber: Subscriber) -> None:
        try:
            await writer.begin()
            await self.stream(writer, subscriber)
        except (ClientUnauthorized, Unavailable):
            # The client reconnects with its Last-Event-ID and misses nothing.
            return


async def _watch(receive: Receive, writer: Writer, writing: "asyncio.Task[None]") -> None:
    """Cancels the writing task when the client disconnects or has read nothing for SEND_SECONDS."""
    while True:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                if (await receive())["type"] == "http.disconnect":
                    break
        except TimeoutError:
            if (writer.blocked_seconds or 0.0) >= SEND_SECONDS:
                break
    writing.cancel()


def _let_go(writer: Writer, writing: asyncio.Task[None]) -> None:
    """Cancels a blocked writer. One that isn't blocked ends by itself and closes the response properly."""
    if writer.blocked_seconds is not None:
        writing.cancel()
