"""Receives the text that jobs write, opens it, and hands it to those of this process who listen."""

import logging
import math
import time
from asyncio import Event
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import UUID

from api.streams.encoding import Announced
from api.streams.subscribers import JobEvents, Subscriber, TypedEvents
from events.ai import TextWritten
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.key_vault.keyring import Keyring
from infrastructure.key_vault.sealed import DecryptionFailed
from infrastructure.ports import Unavailable
from infrastructure.redis.client import Redis
from infrastructure.redis.live_text import LivePiece, TextChannels

logger = logging.getLogger(__name__)

LINGER_SECONDS = 10.0
"""How long the connection stays after the last listener has left."""
MAX_LEARNED = 10_000
MAX_UNOPENED = 16
"""Pieces of a tenant that wait for its key; later ones are lost, and their readers get them with the section's end."""

Deliver = Callable[[UUID, UUID, Announced], None]
"""Is given the tenant, the subject (a job or a tenant), and the piece."""


class LiveTextReader:
    """One per process. Listens to a job or a tenant as long as a subscriber of this process does."""

    def __init__(self, redis: Redis, keyring: Keyring, deliver: Deliver) -> None:
        self._keyring = keyring
        self._deliver = deliver
        self._channels = TextChannels(redis, self._on_piece)
        self._added: set[Subscriber] = set()
        self._listeners: Counter[UUID] = Counter()
        self._unopened: dict[UUID, list[tuple[UUID, LivePiece]]] = {}
        self._wanted = Event()
        self._wanted_at = -math.inf
        self._learned: set[UUID] = set()
        """Tenants whose key was fetched before there was anything to open with it."""
        self._tasks = WatchedTasks()

    @property
    def loop(self) -> Loop:
        return Loop("live text channels", 0.0, self._listen, wake=self._wanted)

    def add(self, subscriber: Subscriber) -> None:
        """Once the subscriber is live. Safe to repeat."""
        if subscriber in self._added or subscriber.ended:
            return
        self._added.add(subscriber)
        for subject in _subjects_of(subscriber):
            self._listeners[subject] += 1
            self._channels.listen(subject)
            self._learn_key(subscriber.tenant_id)
            self._wanted.set()

    def remove(self, subscriber: Subscriber) -> None:
        if subscriber not in self._added:
            return
        self._added.remove(subscriber)
        for subject in _subjects_of(subscriber):
            self._listeners[subject] -= 1
            if not self._listeners[subject]:
                del self._listeners[subject]
                self._channels.leave(subject)

    def _learn_key(self, tenant_id: UUID) -> None:
        if tenant_id in self._learned:
            return
        if len(self._learned) >= MAX_LEARNED:
            self._learned.clear()
        self._learned.add(tenant_id)
        self._tasks.start(self._learn(tenant_id), "fetches a key for live text")

    async def _learn(self, tenant_id: UUID) -> None:
        known = False
        with suppress(Unavailable):  # The first piece asks again.
            known = await self._keyring.learn(tenant_id)
        if not known:
            self._learned.discard(tenant_id)

    async def close(self) -> None:
        await self._channels.close()
        await self._tasks.cancel()

    async def _listen(self) -> float | None:
        if not self._channels.idle:
            self._wanted_at = time.monotonic()
        elif not self._channels.connected or time.monotonic() - self._wanted_at > LINGER_SECONDS:
            await self._channels.close()
            return math.inf
        await self._channels.read()
        return None

    def _on_piece(self, subject: UUID, piece: LivePiece) -> None:
        waiting = self._unopened.get(piece.tenant_id)
        if waiting is not None:
            if len(waiting) < MAX_UNOPENED:
                waiting.append((subject, piece))
            return
        try:
            opened = self._keyring.open_at_once(piece.cell, piece.sealed)
        except DecryptionFailed:
            logger.warning("a piece of live text was dropped: it can't be opened")
            return
        if opened is not None:
            self._hand_on(subject, piece, opened)
            return
        self._unopened[piece.tenant_id] = [(subject, piece)]
        self._tasks.start(self._open(piece.tenant_id), "fetches a key for live text")

    async def _open(self, tenant_id: UUID) -> None:
        """Hands on the pieces that wait for the tenant's key, in their order, and those that come meanwhile."""
        waiting = self._unopened[tenant_id]
        try:
            while waiting:
                subject, piece = waiting.pop(0)
                self._hand_on(subject, piece, await self._keyring.open_bytes(piece.cell, piece.sealed))
        except (DecryptionFailed, Unavailable):
            logger.warning("live text was dropped: its key can't be fetched, or it can't be opened")
        finally:
            del self._unopened[tenant_id]

    def _hand_on(self, subject: UUID, piece: LivePiece, opened: bytes) -> None:
        self._deliver(piece.tenant_id, subject, Announced.live(piece.job_id, TextWritten.type, opened))


def _subjects_of(subscriber: Subscriber) -> Iterator[UUID]:
    match subscriber.wants:
        case JobEvents(job_id):
            yield job_id
        case TypedEvents() as wants:
            if wants.match(TextWritten.type):
                yield subscriber.tenant_id
