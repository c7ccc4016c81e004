"""Hands events to their readers: to each in order, and in one piece what has come for it by its turn."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable

from api.streams.encoding import Announced
from api.streams.subscribers import Subscriber

logger = logging.getLogger(__name__)

HANDED_AT_ONCE = 64
"""After so many the others get a turn: requests aren't kept waiting by a thousand readers, nor does a burst overflow the
queue of a fast one."""
MAX_PICKED_UP = 256
"""So many events may come while others are handed out; with more, nothing is read before all have been."""

Addressed = Iterable[tuple[Subscriber, tuple[Announced, ...]]]


class Fanout:
    """The readers whose turn is yet to come. A thousand take 30 ms: who follows them twice waits once, not twice."""

    def __init__(self) -> None:
        self._due: OrderedDict[Subscriber, tuple[Announced, ...]] = OrderedDict()
        self._picked_up = 0
        self._running: asyncio.Task[None] | None = None

    def put(self, addressed: Addressed, events: int) -> None:
        """Behind what is due already. `events` is how many different ones these are."""
        for subscriber, coming in addressed:
            held = self._due.get(subscriber)
            self._due[subscriber] = coming if held is None else (*held, *coming)
        if not self._due:
            return
        self._picked_up += events
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="hands events out")

    def owes(self, subscriber: Subscriber) -> bool:
        return subscriber in self._due

    def forget(self, subscriber: Subscriber) -> None:
        """It reads what is due to it by itself."""
        self._due.pop(subscriber, None)

    async def room(self) -> None:
        """Returns when more may be put."""
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
                except Exception:  # The others' edge: this one resumes where it was, and they wait for nobody.
                    logger.exception("a subscriber couldn't be told an event, and has to come back")
                    subscriber.end()
                handed += len(coming)
                if handed >= HANDED_AT_ONCE:
                    handed = 0
                    await asyncio.sleep(0)
        finally:
            self._picked_up = 0
            self._running = None
