"""Reads each new event once per process and fans it out to the subscribers.

A listener on Redis pub/sub learns which tenants have new events, and one statement reads them for all those tenants. All
subscribed tenants are also polled once a second, so a lost message delays events by a second. Without subscribers nothing
is read.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from uuid import UUID

from api.streams.encoding import Announced
from api.streams.fanout import Fanout
from api.streams.live_text import LiveTextReader
from api.streams.subscribers import JobEvents, Room, Subscriber, TypedEvents
from infrastructure.concurrency.batching import Overloaded, Pace
from infrastructure.concurrency.loops import Loop
from infrastructure.key_vault.keyring import Keyring
from infrastructure.postgres.events import feed
from infrastructure.postgres.events.feed import News, Position
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.redis.client import Redis
from infrastructure.redis.pubsub import UUID_BYTES, Channel, Subscription, ids_in, live_in

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""The polling interval: the delay of an event whose Redis message was lost."""
LINGER_SECONDS = 10.0
"""How long the hub keeps listening after its last subscriber has left."""
MAX_SUBSCRIBERS = 10_000
MAX_OF_A_TENANT = 5_000
"""Per tenant, so that one tenant can't take every subscription of the process."""


class _Feed:
    """One tenant's subscribers, and the position up to which its events were read."""

    def __init__(self, tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self.position: Position | None = None
        self.by_job: dict[UUID, set[Subscriber]] = {}
        self.by_type: dict[TypedEvents, set[Subscriber]] = {}
        self.count = 0
        self.asking: list[Subscriber] = []
        self.joining: list[Subscriber] = []
        """Subscribers that asked to join before the current read took its snapshot."""

    def add(self, subscriber: Subscriber) -> None:
        self.count += 1
        match subscriber.wants:
            case JobEvents(job_id):
                self.by_job.setdefault(job_id, set()).add(subscriber)
            case TypedEvents() as wants:
                self.by_type.setdefault(wants, set()).add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        self.count -= 1
        match subscriber.wants:
            case JobEvents(job_id):
                self.by_job[job_id].discard(subscriber)
                if not self.by_job[job_id]:
                    del self.by_job[job_id]
            case TypedEvents() as wants:
                self.by_type[wants].discard(subscriber)
                if not self.by_type[wants]:
                    del self.by_type[wants]

    @property
    def empty(self) -> bool:
        return not (self.by_job or self.by_type)

    @property
    def subscribers(self) -> list[Subscriber]:
        return [one for some in (*self.by_type.values(), *self.by_job.values()) for one in some]

    def readers_of(self, announced: Announced) -> list[Subscriber]:
        return [subscriber for subscriber, _ in self.addressed([announced])]

    def addressed(self, events: Sequence[Announced]) -> Iterator[tuple[Subscriber, tuple[Announced, ...]]]:
        """Each subscriber with the events that match its subscription."""
        of_jobs: dict[UUID, list[Announced]] = {}
        for announced in events:
            if announced.job_id in self.by_job:
                of_jobs.setdefault(announced.job_id, []).append(announced)
        for job_id, some in of_jobs.items():
            yield from ((subscriber, tuple(some)) for subscriber in self.by_job[job_id])
        for wants, subscribers in self.by_type.items():
            if fitting := tuple(announced for announced in events if wants.match(announced.type)):
                yield from ((subscriber, fitting) for subscriber in subscribers)


class Hub:
    """One per process. From the moment it has joined, a subscriber gets every event once and in order."""

    def __init__(self, database_url: str, redis: Redis, keyring: Keyring) -> None:
        self._session = PostgresSession(database_url, Role.SYSTEM, "events", {**BUS_SESSION, "TimeZone": "UTC"})
        self._feeds: dict[UUID, _Feed] = {}
        self._subscribers = 0
        self._changed: set[UUID] = set()
        self._pace = Pace()
        self._fanout = Fanout()
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._closed = False
        self._channels = Subscription(redis, self._on_message, Channel.TENANTS, Channel.LIVE)
        self._live_text = LiveTextReader(redis, keyring, self._deliver_text)
        self._wanted_at = -math.inf

    @property
    def loops(self) -> tuple[Loop, ...]:
        return (
            Loop("event reads", LOOK_SECONDS, self.read, wake=self._news),
            Loop("event channel", 0.0, self.listen, wake=self._wanted),
            self._live_text.loop,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_streams()
        await self._fanout.close()
        await self._channels.close()
        await self._live_text.close()
        await self._session.close()

    def end_streams(self) -> None:
        """Ends every subscriber, and every later one as soon as it subscribes. For shutdown."""
        self._closed = True
        for feed_ in self._feeds.values():
            for subscriber in feed_.subscribers:
                subscriber.end()

    @asynccontextmanager
    async def subscribe(
        self, tenant_id: UUID, wants: JobEvents | TypedEvents, room: Room | None = None
    ) -> AsyncIterator[Subscriber]:
        """A subscriber for the duration of the block. Raises Overloaded at the limit of the process or the tenant.

        `room` is the buffer limit that the subscribers of one client share."""
        if self._subscribers >= MAX_SUBSCRIBERS:
            raise Overloaded(f"{MAX_SUBSCRIBERS} subscribers are served already")
        known = self._feeds.get(tenant_id)
        if known is not None and known.count >= MAX_OF_A_TENANT:
            raise Overloaded(f"{MAX_OF_A_TENANT} subscribers of one tenant are served already")
        subscriber = Subscriber(tenant_id, wants, room)
        if self._closed:
            subscriber.end()
        tenant = self._feeds.setdefault(tenant_id, _Feed(tenant_id))
        tenant.add(subscriber)
        self._subscribers += 1
        self._wanted.set()
        try:
            yield subscriber
        finally:
            self._subscribers -= 1
            subscriber.end()
            tenant.remove(subscriber)
            self._live_text.remove(subscriber)
            if tenant.empty and self._feeds.get(tenant_id) is tenant:
                del self._feeds[tenant_id]

    async def join(self, subscriber: Subscriber) -> str | None:
        """Makes the subscriber live and returns the snapshot it is live from: it gets every event that the snapshot doesn't
        show, and reads the others from PostgreSQL.

        The snapshot is newer than the call. None when the subscriber has ended.
        """
        tenant = self._feeds.get(subscriber.tenant_id)
        if subscriber.ended or tenant is None:
            return None
        tenant.asking.append(subscriber)
        self._mark_changed([subscriber.tenant_id])
        return await subscriber.joined()

    def read_up_to(self, subscriber: Subscriber) -> Position | None:
        """The position of a live subscriber that has taken everything it was offered; None during a read, and while a
        delivery to it is pending."""
        tenant = self._feeds.get(subscriber.tenant_id)
        if tenant is None or tenant.position is None or self._fanout.has_pending(subscriber):
            return None
        return tenant.position if tenant.position.upto is None else None

    async def read(self) -> float | None:
        """Reads what is new and queues it for its subscribers. Raises Unavailable; the next call finds what was missed."""
        if not self._feeds:
            # Or a tenant that comes back would be taken for one that was announced already.
            self._changed.clear()
            return math.inf
        if not self._changed:
            # Nothing was announced for LOOK_SECONDS: an announcement may have been lost.
            self._changed.update(self._feeds)
        await self._fanout.room()
        if (rest := self._pace.rest_seconds()) > 0:
            await asyncio.sleep(rest)
        self._pace.begin()
        self._news.clear()
        try:
            await self._read()
        except Exception:  # Whatever it was, what was announced is read by the next round; the supervisor decides.
            self._mark_changed(self._feeds)
            raise
        return None

    async def listen(self) -> float | None:
        """Reads announcements for a moment. LINGER_SECONDS after the last subscriber has left it stops listening."""
        if self._feeds:
            self._wanted_at = time.monotonic()
        elif time.monotonic() - self._wanted_at > LINGER_SECONDS:
            await self._channels.close()
            return math.inf
        await self._channels.read()
        return None

    async def _read(self) -> None:
        tenants = [self._feeds[tenant_id] for tenant_id in self._changed if tenant_id in self._feeds]
        self._changed.clear()
        if not tenants:
            return
        for tenant in tenants:
            if tenant.position is None or tenant.position.upto is None:
                # This read takes a new snapshot, so subscribers that have asked by now may join at its end.
                tenant.joining += tenant.asking
                tenant.asking = []
        positions = {tenant.tenant_id: tenant.position for tenant in tenants}
        found = await self._session.run(lambda connection: feed.news(connection, positions))
        for tenant in tenants:
            self._settle(tenant, found[tenant.tenant_id])

    def _settle(self, tenant: _Feed, news: News) -> None:
        # No await in here: a joining subscriber must miss nothing after its snapshot and get nothing from before it.
        events = [Announced.stored(row, news.position_of(row)) for row in news.rows]
        self._fanout.put(tenant.addressed(events), len(events))
        tenant.position = news.position
        if news.position.upto is None:
            joining, tenant.joining = tenant.joining, []
            for subscriber in joining:
                self._fanout.forget(subscriber)
                subscriber.go_live(news.position.seen)
                self._live_text.add(subscriber)
        if news.position.upto is not None or tenant.asking:
            self._mark_changed([tenant.tenant_id])

    def _on_message(self, message: tuple[Channel, bytes] | None) -> None:
        match message:
            case None:
                self._mark_changed(self._feeds)
            case (Channel.LIVE, payload):
                self._deliver_live(payload)
            case (_, payload):
                self._mark_changed(tenant_id for tenant_id in ids_in(payload) if tenant_id in self._feeds)

    def _deliver_live(self, payload: bytes) -> None:
        tenant = self._feeds.get(UUID(bytes=payload[:UUID_BYTES].ljust(UUID_BYTES)))
        if tenant is None:
            return
        try:
            _, event = live_in(payload)
            job_id = UUID(event.subject)
        except ValueError:
            logger.warning("live event dropped: it can't be parsed")
            return
        announced = Announced.live(job_id, event.type, event.model_dump_json(exclude_none=True).encode())
        for subscriber in tenant.readers_of(announced):
            self._offer_live(subscriber, announced)

    def _deliver_text(self, tenant_id: UUID, subject: UUID, announced: Announced) -> None:
        tenant = self._feeds.get(tenant_id)
        if tenant is None:
            return
        listens_to_all = subject == tenant_id
        for subscriber in tenant.readers_of(announced):
            if isinstance(subscriber.wants, TypedEvents) is listens_to_all:
                self._offer_live(subscriber, announced)

    def _offer_live(self, subscriber: Subscriber, announced: Announced) -> None:
        # Behind the stored events that are being delivered to it.
        if self._fanout.has_pending(subscriber):
            self._fanout.put([(subscriber, (announced,))], 1)
        else:
            subscriber.offer((announced,))

    def _mark_changed(self, tenants: Iterable[UUID]) -> None:
        before = len(self._changed)
        self._changed.update(tenants)
        if len(self._changed) > before:
            self._news.set()
