"""One reader's share of the hub: a short queue, and the word when it was too short."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from api.streams.encoding import Announced
from monitoring.metrics import ingress as ingress_metrics
from schemas.event_patterns import matches

MAX_WAITING = 512
"""Events that wait for one reader or are on their way to it. A slower one reads from PostgreSQL instead, at its own
pace."""
MAX_WAITING_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class JobEvents:
    """Wants all events of one job."""

    job_id: UUID


@dataclass(frozen=True, slots=True)
class TypedEvents:
    """Wants the tenant's events whose type matches the pattern (`*` and `?` as in file names)."""

    pattern: str = "*"

    def match(self, kind: str) -> bool:
        return matches(self.pattern, kind)


@dataclass(frozen=True, slots=True)
class Behind:
    """Some events were dropped: read on from PostgreSQL, then join again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The process stops, or the reader has left."""


Taken = tuple[Announced, ...] | Behind | Ended
AtOnce = Callable[[Sequence[Announced]], bool]
"""Tells its reader all of it without waiting; False when it can't, and then nothing was told. Never raises."""


class Room:
    """How much may wait for one reader, who may have many subscribers."""

    __slots__ = ("_bytes", "_events", "_most_bytes", "_most_events")

    def __init__(self, most_events: int = MAX_WAITING, most_bytes: int = MAX_WAITING_BYTES) -> None:
        self._most_events, self._most_bytes = most_events, most_bytes
        self._events = self._bytes = 0

    def take(self, size: int) -> bool:
        """Whether there was room for one more."""
        if self._events >= self._most_events or self._bytes >= self._most_bytes:
            return False
        self._events += 1
        self._bytes += size
        return True

    def give_back(self, leaving: Iterable[Announced]) -> None:
        for announced in leaving:
            self._events -= 1
            self._bytes -= announced.size


class Subscriber:
    """Made by the hub, which offers; its reader takes. Begins behind: nothing comes before it has joined."""

    def __init__(self, tenant_id: UUID, wants: JobEvents | TypedEvents, room: Room | None = None) -> None:
        self.tenant_id = tenant_id
        self.wants = wants
        self._room = room or Room()
        self._waiting: deque[Announced] = deque()
        self._taken: tuple[Announced, ...] = ()
        self._behind = True
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._at_once: AtOnce | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._joined: asyncio.Future[str] | None = None
        self._on_end: Callable[[], None] | None = None

    @property
    def live(self) -> bool:
        return not self._behind

    @property
    def ended(self) -> bool:
        return self._ended

    def offer(self, coming: Sequence[Announced]) -> None:
        if self._behind or self._ended or self._told_at_once(coming):
            return
        for announced in coming:
            if not self._room.take(announced.size):
                self._drop_waiting()
                self._behind = True
                ingress_metrics.subscriber_fell_behind()
                break
            self._waiting.append(announced)
        self._wake()

    def go_live(self, snapshot: str) -> None:
        """From now on it gets what the snapshot doesn't show."""
        self._drop_waiting()
        self._behind = False
        if self._joined is not None and not self._joined.done():
            self._joined.set_result(snapshot)

    def end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._drop_waiting()
        self._give_back_taken()
        self._set_alarm(None)
        if self._joined is not None:
            self._joined.cancel()
        self._wake()
        if self._on_end is not None:
            self._on_end()

    def when_ended(self, call: Callable[[], None]) -> None:
        """Calls once when it has to leave; at once if it already has to."""
        self._on_end = call
        if self._ended:
            call()

    async def joined(self) -> str | None:
        """The snapshot it went live with; None when it has to leave instead."""
        self._joined = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._joined])
        return None if self._joined.cancelled() else self._joined.result()

    async def take(self, timeout_seconds: float, at_once: AtOnce | None = None) -> Taken:
        """All that waits, or the first that comes; nothing when the time is up, or sooner.

        What was taken before is written by now: until here it needed its room. What `at_once` tells while the reader
        sleeps isn't taken any more, and doesn't wake it."""
        self._give_back_taken()
        if not (self._waiting or self._behind or self._ended):
            self._at_once = at_once
            await self._sleep(timeout_seconds)
            self._at_once = None
        if self._ended:
            return Ended()
        if self._behind:
            return Behind()
        self._taken = tuple(self._waiting)
        self._waiting.clear()
        return self._taken

    def _told_at_once(self, coming: Sequence[Announced]) -> bool:
        asleep = self._reader is not None and not self._reader.done()
        return asleep and self._at_once is not None and self._at_once(coming)

    def _drop_waiting(self) -> None:
        self._room.give_back(self._waiting)
        self._waiting.clear()

    def _give_back_taken(self) -> None:
        self._room.give_back(self._taken)
        self._taken = ()

    async def _sleep(self, timeout_seconds: float) -> None:
        # A thousand readers may sleep here, so no timer is made and unmade for each event: one that rings early wakes
        # the reader for nothing, which costs less.
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        if self._alarm is None or self._alarm.when() > loop.time() + timeout_seconds:
            self._set_alarm(loop.call_later(timeout_seconds, self._ring))
        try:
            await self._reader
        finally:
            self._reader = None

    def _set_alarm(self, alarm: asyncio.TimerHandle | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = alarm

    def _ring(self) -> None:
        self._alarm = None
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
