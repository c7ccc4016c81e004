"""How events are told, whether on a stream or on a socket: what is stored first, then what comes, and after a gap what
is stored again, so that nothing is lost and nothing repeated."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol
from uuid import UUID

from api.frames import Announced
from api.ingress import Ingress
from api.subscribers import Behind, Ended, Subscriber, TypedEvents
from events.jobs import ENDINGS
from infrastructure.postgres import feed
from infrastructure.postgres.feed import Position


class Teller(Protocol):
    """The way to one reader."""

    @property
    def idle_seconds(self) -> float:
        """For how long nothing needs to be done, unless an event comes."""
        ...

    def catching_up(self) -> AbstractAsyncContextManager[object]:
        """Held while stored events are read and written, by one story of a reader at a time: what they need is
        bounded."""
        ...

    async def events(self, told: Iterable[Announced]) -> None: ...

    def at_once(self, told: Sequence[Announced]) -> bool:
        """Tells these without waiting. False when that can't be: then none of them was told."""
        ...

    async def place(self, position: Position) -> None:
        """Moves the reader's place without an event, so that a quiet reader resumes where it really was."""
        ...

    async def keep_up(self, place: Position | None = None) -> None:
        """What is due now and then. Raises when the reader may not read any longer."""
        ...


class JobStory:
    """Tells one job's events by their seq."""

    def __init__(self, ingress: Ingress, tenant_id: UUID, job_id: UUID, told: int) -> None:
        self._hub = ingress.hub
        self._lines = ingress.catch_up_lines
        self._tenant_id = tenant_id
        self._job_id = job_id
        self._told = told

    async def tell(self, teller: Teller, subscriber: Subscriber) -> None:
        while True:
            if not subscriber.live:
                await self._hub.join(subscriber)
            if await self._tell_stored(teller) or await self._tell_live(teller, subscriber):
                return

    async def stored(self) -> feed.JobRows | None:
        """The next page; None when the tenant has no such job."""
        return await self._lines.run(
            self._tenant_id, lambda line: feed.job_rows(line, self._tenant_id, self._job_id, after=self._told)
        )

    async def _tell_stored(self, teller: Teller) -> bool:
        """Whether that was all there will ever be."""
        while True:
            async with teller.catching_up():
                found = await self.stored()
                if found is None:
                    return True
                await teller.events(Announced.stored(row, None) for row in found.rows)
                if found.rows:
                    self._told = found.rows[-1].seq
                if found.over or len(found.rows) < feed.PAGE:
                    return found.over
            await teller.keep_up()

    async def _tell_live(self, teller: Teller, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        at_once = partial(self._tell_at_once, teller)
        while True:
            if (idle_seconds := teller.idle_seconds) <= 0:
                await teller.keep_up()
            match await subscriber.take(idle_seconds, at_once):
                case Ended():
                    return True
                case Behind():
                    return False
                case taken:
                    coming, self._told, whole = next_of_job(taken, self._told)
                    await teller.events(coming)
                    if not whole:
                        return False

    def _tell_at_once(self, teller: Teller, offered: Sequence[Announced]) -> bool:
        coming, told, whole = next_of_job(offered, self._told)
        if not whole or (coming and not teller.at_once(coming)):
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


class TenantStory:
    """Tells a tenant's events by their place in its feed."""

    def __init__(self, ingress: Ingress, tenant_id: UUID, wants: TypedEvents, start: Position | None) -> None:
        self._hub = ingress.hub
        self._lines = ingress.catch_up_lines
        self._tenant_id = tenant_id
        self._wants = wants
        self._place = start

    async def tell(self, teller: Teller, subscriber: Subscriber) -> None:
        while (upto := await self._hub.join(subscriber)) is not None:
            if self._place is None:
                await teller.place(Position(upto))
            else:
                await self._tell_stored(teller, self._place, upto)
            self._place = Position(upto)
            if await self._tell_live(teller, subscriber):
                return

    async def _tell_stored(self, teller: Teller, place: Position, upto: str) -> None:
        while place != Position(upto):
            async with teller.catching_up():
                news = await self._stored_after(place, upto)
                rows = [row for row in news.rows if self._wants.match(row.type)]
                await teller.events(Announced.stored(row, news.position_of(row)) for row in rows)
            place = news.position
            await teller.keep_up(place)

    async def _stored_after(self, place: Position, upto: str) -> feed.News:
        return await self._lines.run(self._tenant_id, lambda line: feed.page(line, self._tenant_id, place, upto))

    async def _tell_live(self, teller: Teller, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        at_once = partial(self._tell_at_once, teller)
        while True:
            if (idle_seconds := teller.idle_seconds) <= 0:
                await teller.keep_up(self._place)
            match await subscriber.take(idle_seconds, at_once):
                case Ended():
                    return True
                case Behind():
                    return False
                case ():
                    self._place = self._hub.read_up_to(subscriber) or self._place
                case taken:
                    await teller.events(taken)
                    self._move_on(taken)

    def _tell_at_once(self, teller: Teller, offered: Sequence[Announced]) -> bool:
        if not teller.at_once(offered):
            return False
        self._move_on(offered)
        return True

    def _move_on(self, told: Sequence[Announced]) -> None:
        for announced in told:
            self._place = announced.position or self._place
