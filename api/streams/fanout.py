"""Delivers events to subscribers in order. Events that arrive while a subscriber waits are delivered to it together."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable

from api.streams.encoding import Announced
from api.streams.subscribers import Subscriber

logger = logging.getLogger(__name__)

HANDED_AT_ONCE = 64
"""Deliveries before the event loop runs other tasks: a thousand subscribers don't delay requests, and a burst doesn't
overflow the queue of a fast subscriber."""
MAX_PICKED_UP = 256
"""Events that may be added during a delivery run. Beyond it the hub reads nothing until the run has ended."""

Addressed = Iterable[tuple[Subscriber, tuple[Announced, ...]]]


class Fanout:
    """The queue of pending deliveries, one entry per subscriber."""

    def __init__(self) -> None:
        self._due: OrderedDict[Subscriber, tuple[Announced, ...]] = OrderedDict()
        self._picked_up = 0
        self._running: asyncio.Task[None] | None = None

    def put(self, addressed: Addressed, events: int) -> None:
        """Queues events behind those already pending. `events` is the number of distinct events."""
        for subscriber, coming in addressed:
            held = self._due.get(subscriber)
            self._due[subscriber] = coming if held is None else (*held, *coming)
        if not self._due:
            return
        self._picked_up += events
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="event fanout")

    def owes(self, subscriber: Subscriber) -> bool:
        return subscriber in self._due

    def forget(self, subscriber: Subscriber) -> None:
        """Drops the subscriber's pending events, which it reads from PostgreSQL instead."""
        self._due.pop(subscriber, None)

    async def room(self) -> None:
        """Waits until more events may be put."""
        if self._running is not None and self._picked_up >= MAX_PICKED_UP:
            await asyncio.wait([self._running])

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        handed = 0
        try:
            while self._due:
                subscriber, coming = self._due.popitem(last=False)
                if len(coming) > HANDED_AT_ONCE:
                    self._due[subscriber] = coming[HANDED_AT_ONCE:]
                    coming = coming[:HANDED_AT_ONCE]
                try:
                    subscriber.offer(coming)
                except Exception:  # The others' edge: only this subscriber ends, and its client resumes.
                    logger.exception("event delivery failed; the subscriber was disconnected")
                    subscriber.end()
                handed += len(coming)
                if handed >= HANDED_AT_ONCE:
                    handed = 0
                    await asyncio.sleep(0)
        finally:
            self._picked_up = 0
            self._running = None
