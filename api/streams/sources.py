"""Event sources for SSE and WebSockets: stored events first, then live ones, and stored ones again after a gap, so that
nothing is lost or repeated."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Protocol
from uuid import UUID

from api.dependencies import Dependencies
from api.streams.catching_up.pages import Chunk
from api.streams.encoding import Announced
from api.streams.subscribers import Behind, Ended, Subscriber, TypedEvents
from events.jobs import ENDINGS
from infrastructure.postgres.events.feed import Position

PASSED_SECONDS = 1.0
"""How often the client's position is updated while a filter skips events, so that a resumed stream doesn't rescan them."""


class EventSink(Protocol):
    """Where a source writes one client's events."""

    @property
    def idle_seconds(self) -> float:
        """Seconds until `keep_up` is due, unless an event comes first."""
        ...

    @property
    def silent_seconds(self) -> float:
        """Seconds since the last write."""
        ...

    def catching_up(self) -> AbstractAsyncContextManager[object]:
        """Held while stored events are read and written. A client's subscriptions take turns, which bounds the memory
        they need."""
        ...

    async def write_events(self, events: Iterable[Announced]) -> None: ...

    async def write_stored(self, chunk: Chunk[Position] | Chunk[int]) -> None: ...

    def try_write(self, events: Sequence[Announced]) -> bool:
        """Writes the events without waiting. False when that isn't possible; then none was written."""
        ...

    async def write_position(self, position: Position) -> None:
        """Updates the client's position without an event, so that an idle stream resumes from there."""
        ...

    async def write_start(self, position: Position) -> None:
        """Says that the stream starts now, at this position."""
        ...

    async def keep_up(self, place: Position | None = None) -> None:
        """Does periodic work, such as heartbeats. Raises when the client may no longer read."""
        ...


class JobEventSource:
    """One job's events, in the order of their seq."""

    def __init__(self, ingress: Dependencies, tenant_id: UUID, job_id: UUID, last_seq: int) -> None:
        self._hub = ingress.hub
        self._backlog = ingress.backlog
        self._tenant_id = tenant_id
        self._job_id = job_id
        self._last_seq = last_seq
        self._first: Chunk[int] | None = None
        self._near = False
        """Whether the first chunk reached the end, so that the subscriber may join at once."""

    async def begin(self) -> bool:
        """Reads the first events. False when the tenant has no such job."""
        self._first = await self._next()
        if self._first is not None and self._first.last and not self._first.over:
            # There may be more events by the time it has joined.
            self._first, self._near = replace(self._first, last=False), True
        return self._first is not None

    async def stream(self, sink: EventSink, subscriber: Subscriber) -> None:
        while True:
            if not subscriber.live:
                # Catch up before joining: a subscriber that is far behind would overflow its queue.
                if not self._near and await self._send_stored(sink, subscriber):
                    return
                if await self._hub.join(subscriber) is None:
                    return
                self._near = False
            if await self._send_stored(sink, subscriber) or await self._send_live(sink, subscriber):
                return

    async def _next(self) -> Chunk[int] | None:
        return await self._backlog.of_job(self._tenant_id, self._job_id, self._last_seq)

    async def _send_stored(self, sink: EventSink, subscriber: Subscriber) -> bool:
        """True when the job's events are complete or the subscriber has ended."""
        while not subscriber.ended:
            async with sink.catching_up():
                chunk, self._first = self._first or await self._next(), None
                if chunk is None:
                    return True
                await sink.write_stored(chunk)
                self._last_seq = chunk.behind
            if chunk.last:
                return chunk.over
            await sink.keep_up()
        return True

    async def _send_live(self, sink: EventSink, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        try_write = partial(self._try_write, sink)
        while True:
            if (idle_seconds := sink.idle_seconds) <= 0:
                await sink.keep_up()
            match await subscriber.take(idle_seconds, try_write):
                case Ended():
                    return True
                case Behind():
                    return False
                case taken:
                    coming, self._last_seq, whole = next_of_job(taken, self._last_seq)
                    await sink.write_events(coming)
                    if not whole:
                        return False

    def _try_write(self, sink: EventSink, offered: Sequence[Announced]) -> bool:
        coming, last_seq, whole = next_of_job(offered, self._last_seq)
        if not whole or (coming and not sink.try_write(coming)):
            return False
        self._last_seq = last_seq
        return True


def next_of_job(taken: Sequence[Announced], last_seq: int) -> tuple[list[Announced], int, bool]:
    """The events to send next, the last seq after them, and whether all were used. Not all are at a gap (a clock that was
    set back may cause one) and after a final event: then the source goes on with the stored events."""
    coming: list[Announced] = []
    for announced in taken:
        if announced.row is None:
            coming.append(announced)
        elif announced.row.seq > last_seq + 1:
            return coming, last_seq, False
        elif announced.row.seq == last_seq + 1:
            coming.append(announced)
            last_seq = announced.row.seq
            if announced.type in ENDINGS:
                return coming, last_seq, False
    return coming, last_seq, True


class TenantEventSource:
    """A tenant's events, in the order of its feed."""

    def __init__(self, ingress: Dependencies, tenant_id: UUID, wants: TypedEvents, start: Position | None) -> None:
        self._hub = ingress.hub
        self._backlog = ingress.backlog
        self._tenant_id = tenant_id
        self._wants = wants
        self._place = start

    async def stream(self, sink: EventSink, subscriber: Subscriber) -> None:
        while True:
            # Catch up before joining: a subscriber that is far behind would overflow its queue.
            await self._send_stored(sink, subscriber, None)
            upto = await self._hub.join(subscriber)
            if upto is None:
                return
            if self._place is None:
                await sink.write_start(Position(upto))
            elif not await self._send_stored(sink, subscriber, upto):
                return
            self._place = Position(upto)
            if await self._send_live(sink, subscriber):
                return

    async def _send_stored(self, sink: EventSink, subscriber: Subscriber, upto: str | None) -> bool:
        """Sends the stored events after the client's position, up to the snapshot `upto`, or to about now without one.
        False when the subscriber has ended."""
        while not subscriber.ended:
            if self._place is None or (upto is not None and self._place == Position(upto)):
                return True
            async with sink.catching_up():
                chunk = await self._backlog.of_tenant(self._tenant_id, self._place, self._wants, upto)
                await sink.write_stored(chunk)
                self._place = chunk.behind
                if chunk.passed and sink.silent_seconds >= PASSED_SECONDS:
                    await sink.write_position(self._place)
            await sink.keep_up(self._place)
            if chunk.last and upto is None:
                return True
        return False

    async def _send_live(self, sink: EventSink, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        try_write = partial(self._try_write, sink)
        while True:
            if (idle_seconds := sink.idle_seconds) <= 0:
                await sink.keep_up(self._place)
            match await subscriber.take(idle_seconds, try_write):
                case Ended():
                    return True
                case Behind():
                    return False
                case ():
                    self._place = self._hub.read_up_to(subscriber) or self._place
                case taken:
                    await sink.write_events(taken)
                    self._move_on(taken)

    def _try_write(self, sink: EventSink, offered: Sequence[Announced]) -> bool:
        if not sink.try_write(offered):
            return False
        self._move_on(offered)
        return True

    def _move_on(self, written: Sequence[Announced]) -> None:
        for announced in written:
            self._place = announced.position or self._place
