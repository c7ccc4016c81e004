"""Delivers events to subscribers in order. Events that arrive while a subscriber waits are delivered to it together."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable

from api.streams.encoding import Announced
from api.streams.subscribers import Subscriber
from infrastructure.concurrency import watched

logger = logging.getLogger(__name__)

MAX_PER_TURN = 64
"""Deliveries before the event loop runs other tasks: a thousand subscribers don't delay requests, and a burst doesn't
overflow the queue of a fast subscriber."""
MAX_UNDELIVERED = 256
"""Events that may be added during a delivery run. Beyond it the hub reads nothing until the run has ended."""

Addressed = Iterable[tuple[Subscriber, tuple[Announced, ...]]]


class Fanout:
    """The queue of pending deliveries, one entry per subscriber."""

    def __init__(self) -> None:
        self._pending: OrderedDict[Subscriber, tuple[Announced, ...]] = OrderedDict()
        self._undelivered = 0
        self._running: asyncio.Task[None] | None = None

    def put(self, addressed: Addressed, events: int) -> None:
        """Queues events behind those already pending. `events` is the number of distinct events."""
        for subscriber, coming in addressed:
            queued = self._pending.get(subscriber)
            self._pending[subscriber] = coming if queued is None else (*queued, *coming)
        if not self._pending:
            return
        self._undelivered += events
        if self._running is None:
            self._running = watched.start(self._run(), name="event fanout")

    def has_pending(self, subscriber: Subscriber) -> bool:
        return subscriber in self._pending

    def forget(self, subscriber: Subscriber) -> None:
        """Drops the subscriber's pending events, which it reads from PostgreSQL instead."""
        self._pending.pop(subscriber, None)

    async def room(self) -> None:
        """Waits until more events may be put."""
        if self._running is not None and self._undelivered >= MAX_UNDELIVERED:
            await asyncio.wait([self._running])

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        delivered = 0
        try:
            while self._pending:
                subscriber, coming = self._pending.popitem(last=False)
                if len(coming) > MAX_PER_TURN:
                    self._pending[subscriber] = coming[MAX_PER_TURN:]
                    coming = coming[:MAX_PER_TURN]
                try:
                    subscriber.offer(coming)
                except Exception:  # The others' edge: only this subscriber ends, and its client resumes.
                    logger.exception("event delivery failed; the subscriber was disconnected")
                    subscriber.end()
                delivered += len(coming)
                if delivered >= MAX_PER_TURN:
                    delivered = 0
                    await asyncio.sleep(0)
        finally:
            self._undelivered = 0
            self._running = None
