"""Writes to a WebSocket one message at a time, so that a client that doesn't read holds one message in memory."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from urllib.parse import urlsplit

from starlette.types import Message, Send

from api.streams.catching_up.pages import Chunk
from api.streams.encoding import Announced
from api.streams.resume_tokens import token_of
from events.websocket import ServerMessage
from infrastructure.postgres.events.feed import Position
from monitoring.metrics import ingress as ingress_metrics
from schemas.websocket import JobSubject, Subject

PLACE_SECONDS = 15.0
"""How often the position of an idle subscription is updated."""
GOODBYE_SECONDS = 2.0
ANY_ORIGIN = "*"


class Left(Exception):
    """The client has disconnected."""


class Closing(Exception):
    """Raised to close the connection with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SocketWriter:
    """The writer of a connection, shared by its subscriptions."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Lock()
        self._blocked_since: float | None = None
        self._delivered = 0

    @property
    def blocked_seconds(self) -> float:
        """How long the current write has been blocked by the client; 0 when no write is running."""
        return 0.0 if self._blocked_since is None else time.monotonic() - self._blocked_since

    async def send_message(self, message: ServerMessage) -> None:
        await self.text(message.model_dump_json(exclude_none=True))

    async def send_if_connected(self, message: ServerMessage) -> None:
        with suppress(Left):
            await self.send_message(message)

    async def event(self, text: str) -> None:
        await self.text(text)
        self._delivered += 1

    async def text(self, text: str) -> None:
        await self._write({"type": "websocket.send", "text": text})

    async def close(self, closing: Closing) -> None:
        """Closes the connection with its reason. Gives up after GOODBYE_SECONDS if the client doesn't read."""
        with suppress(Left, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._write({"type": "websocket.close", "code": closing.code, "reason": closing.reason})

    def count(self) -> None:
        """Adds the events delivered since to the metric."""
        delivered, self._delivered = self._delivered, 0
        ingress_metrics.events_delivered(delivered)

    async def _write(self, message: Message) -> None:
        # When its buffer has room again the server wakes all writers at once. One at a time, each sees the buffer fill.
        async with self._turn:
            self._blocked_since = time.monotonic()
            try:
                await self._send(message)
            except OSError:
                raise Left from None
            finally:
                self._blocked_since = None


class WebSocketSink:
    """The EventSink of one subscription."""

    def __init__(self, writer: SocketWriter, catching_up: asyncio.Lock, subject: Subject) -> None:
        self._writer = writer
        self._catching_up = catching_up
        self._of_job = isinstance(subject, JobSubject)
        # Only the event and its position differ between the messages of a subscription.
        self._begin = subject.model_dump_json().removesuffix("}")
        self._wrote_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        return max(0.0, self._wrote_at + PLACE_SECONDS - time.monotonic())

    @property
    def silent_seconds(self) -> float:
        return time.monotonic() - self._wrote_at

    def catching_up(self) -> AbstractAsyncContextManager[object]:
        return self._catching_up

    async def write_events(self, events: Iterable[Announced]) -> None:
        for announced in events:
            await self._writer.event(f'{self._begin},"event":{announced.json().decode()}{self._after(announced)}}}')
            self._wrote_at = time.monotonic()

    async def write_stored(self, chunk: Chunk[Position] | Chunk[int]) -> None:
        await self.write_events(chunk.events())

    def try_write(self, events: Sequence[Announced]) -> bool:
        # Writes need the connection's lock, for which only its own tasks can wait.
        return False

    async def write_position(self, position: Position) -> None:
        await self._writer.text(f'{self._begin},"after":"{token_of(position)}"}}')
        self._wrote_at = time.monotonic()

    async def write_start(self, position: Position) -> None:
        # The client has its `subscribed`, and asked for no `after`.
        await self.write_position(position)

    async def keep_up(self, place: Position | None = None) -> None:
        # The connection checks the key, once for all subscriptions.
        if self.idle_seconds > 0:
            return
        self._wrote_at = time.monotonic()
        if place is not None:
            await self.write_position(place)

    def _after(self, announced: Announced) -> str:
        if announced.row is None:
            return ""
        return f',"after":{announced.row.seq}' if self._of_job else f',"after":"{announced.token}"'


class Pace:
    """A token bucket: a burst, then a number of messages per second."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._left = float(burst)
        self._clock = clock
        self._at = clock()

    def wait_seconds(self) -> float:
        """Counts one more message and returns the seconds it has to wait."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second) - 1.0
        self._at = now
        return max(0.0, -self._left / self._per_second)


def origin_allowed(headers: Mapping[str, str], allowed: tuple[str, ...]) -> bool:
    """Whether a page of this origin may connect. Clients that aren't browsers send no Origin; they need a key anyway."""
    origin = headers.get("origin")
    if origin is None or ANY_ORIGIN in allowed or origin in allowed:
        return True
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
