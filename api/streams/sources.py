"""How events are told, whether on a stream or on a socket: what is stored first, then what comes, and after a gap what
is stored again, so that nothing is lost and nothing repeated."""

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
"""How old a reader's place gets while it is led past events that it doesn't want: one that leaves needn't pass them again."""


class EventSink(Protocol):
    """The way to one reader."""

    @property
    def idle_seconds(self) -> float:
        """For how long nothing needs to be done, unless an event comes."""
        ...

    @property
    def silent_seconds(self) -> float:
        """For how long the reader was told nothing."""
        ...

    def catching_up(self) -> AbstractAsyncContextManager[object]:
        """Held while stored events are read and written, by one story of a reader at a time: what they need is
        bounded."""
        ...

    async def events(self, told: Iterable[Announced]) -> None: ...

    async def stored(self, chunk: Chunk[Position] | Chunk[int]) -> None: ...

    def at_once(self, told: Sequence[Announced]) -> bool:
        """Tells these without waiting. False when that can't be: then none of them was told."""
        ...

    async def place(self, position: Position) -> None:
        """Moves the reader's place without an event, so that a quiet reader resumes where it really was."""
        ...

    async def keep_up(self, place: Position | None = None) -> None:
        """What is due now and then. Raises when the reader may not read any longer."""
        ...


class JobEventSource:
    """Tells one job's events by their seq."""

    def __init__(self, ingress: Dependencies, tenant_id: UUID, job_id: UUID, told: int) -> None:
        self._hub = ingress.hub
        self._backlog = ingress.backlog
        self._tenant_id = tenant_id
        self._job_id = job_id
        self._told = told
        self._first: Chunk[int] | None = None
        self._near = False
        """Whether the first events are about all there are."""

    async def begin(self) -> bool:
        """False when the tenant has no such job. Else its first events are read, and told first."""
        self._first = await self._next()
        if self._first is not None and self._first.last and not self._first.over:
            # There may be more by the time it has joined.
            self._first, self._near = replace(self._first, last=False), True
        return self._first is not None

    async def tell(self, sink: EventSink, subscriber: Subscriber) -> None:
        while True:
            if not subscriber.live:
                # Who is behind isn't offered what it would have to drop: it joins where little is left to read.
                if not self._near and await self._tell_stored(sink, subscriber):
                    return
                if await self._hub.join(subscriber) is None:
                    return
                self._near = False
            if await self._tell_stored(sink, subscriber) or await self._tell_live(sink, subscriber):
                return

    async def _next(self) -> Chunk[int] | None:
        return await self._backlog.of_job(self._tenant_id, self._job_id, self._told)

    async def _tell_stored(self, sink: EventSink, subscriber: Subscriber) -> bool:
        """Whether that was all there will ever be, or the reader leaves."""
        while not subscriber.ended:
            async with sink.catching_up():
                chunk, self._first = self._first or await self._next(), None
                if chunk is None:
                    return True
                await sink.stored(chunk)
                self._told = chunk.behind
            if chunk.last:
                return chunk.over
            await sink.keep_up()
        return True

    async def _tell_live(self, sink: EventSink, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        at_once = partial(self._tell_at_once, sink)
        while True:
            if (idle_seconds := sink.idle_seconds) <= 0:
                await sink.keep_up()
            match await subscriber.take(idle_seconds, at_once):
                case Ended():
                    return True
                case Behind():
                    return False
                case taken:
                    coming, self._told, whole = next_of_job(taken, self._told)
                    await sink.events(coming)
                    if not whole:
                        return False

    def _tell_at_once(self, sink: EventSink, offered: Sequence[Announced]) -> bool:
        coming, told, whole = next_of_job(offered, self._told)
        if not whole or (coming and not sink.at_once(coming)):
            return False
        self._told = told
        return True


def next_of_job(taken: Sequence[Announced], told: int) -> tuple[list[Announced], int, bool]:
    """What of it comes next, and the last seq then. Not whole at a gap (a clock that was set back may cause one) and
    after an ending: then the stored events tell how it goes on."""
    coming: list[Announced] = []
    for announced in taken:
        if announced.row is None:
            coming.append(announced)
        elif announced.row.seq > told + 1:
            return coming, told, False
        elif announced.row.seq == told + 1:
            coming.append(announced)
            told = announced.row.seq
            if announced.type in ENDINGS:
                return coming, told, False
    return coming, told, True


class TenantEventSource:
    """Tells a tenant's events by their place in its feed."""

    def __init__(self, ingress: Dependencies, tenant_id: UUID, wants: TypedEvents, start: Position | None) -> None:
        self._hub = ingress.hub
        self._backlog = ingress.backlog
        self._tenant_id = tenant_id
        self._wants = wants
        self._place = start

    async def tell(self, sink: EventSink, subscriber: Subscriber) -> None:
        while True:
            # Who is behind isn't offered what it would have to drop: it joins where little is left to read.
            await self._tell_stored(sink, subscriber, None)
            upto = await self._hub.join(subscriber)
            if upto is None:
                return
            if self._place is None:
                await sink.place(Position(upto))
            elif not await self._tell_stored(sink, subscriber, upto):
                return
            self._place = Position(upto)
            if await self._tell_live(sink, subscriber):
                return

    async def _tell_stored(self, sink: EventSink, subscriber: Subscriber, upto: str | None) -> bool:
        """What is stored behind the reader's place, up to the snapshot it is live from; without one, to about now. False
        when the reader has to leave before."""
        while not subscriber.ended:
            if self._place is None or (upto is not None and self._place == Position(upto)):
                return True
            async with sink.catching_up():
                chunk = await self._backlog.of_tenant(self._tenant_id, self._place, self._wants, upto)
                await sink.stored(chunk)
                self._place = chunk.behind
                if chunk.passed and sink.silent_seconds >= PASSED_SECONDS:
                    await sink.place(self._place)
            await sink.keep_up(self._place)
            if chunk.last and upto is None:
                return True
        return False

    async def _tell_live(self, sink: EventSink, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        at_once = partial(self._tell_at_once, sink)
        while True:
            if (idle_seconds := sink.idle_seconds) <= 0:
                await sink.keep_up(self._place)
            match await subscriber.take(idle_seconds, at_once):
                case Ended():
                    return True
                case Behind():
                    return False
                case ():
                    self._place = self._hub.read_up_to(subscriber) or self._place
                case taken:
                    await sink.events(taken)
                    self._move_on(taken)

    def _tell_at_once(self, sink: EventSink, offered: Sequence[Announced]) -> bool:
        if not sink.at_once(offered):
            return False
        self._move_on(offered)
        return True

    def _move_on(self, told: Sequence[Announced]) -> None:
        for announced in told:
            self._place = announced.position or self._place
