"""A subscriber of the hub: a bounded queue of events that reports when it has overflowed."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from api.streams.encoding import Announced
from monitoring.metrics import ingress as ingress_metrics
from schemas.event_patterns import matches

MAX_WAITING = 512
"""Events queued for one client or being written to it. A slower client reads from PostgreSQL instead, at its own
pace."""
MAX_WAITING_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class JobEvents:
    """A subscription to all events of one job."""

    job_id: UUID


@dataclass(frozen=True, slots=True)
class TypedEvents:
    """A subscription to the tenant's events whose type matches the pattern (`*` and `?` as in file names)."""

    pattern: str = "*"

    def match(self, kind: str) -> bool:
        return matches(self.pattern, kind)


@dataclass(frozen=True, slots=True)
class Behind:
    """The queue overflowed and events were dropped: catch up from PostgreSQL, then join again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The subscriber has ended: the process stops, the client has left, or its key was revoked."""


Taken = tuple[Announced, ...] | Behind | Ended
TryWrite = Callable[[Sequence[Announced]], bool]
"""Writes all the events without waiting. False when it can't; then none was written. Never raises."""


class Room:
    """The buffer limit of one client, shared by its subscribers."""

    __slots__ = ("_bytes", "_events", "_max_bytes", "_max_events")

    def __init__(self, max_events: int = MAX_WAITING, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._max_events, self._max_bytes = max_events, max_bytes
        self._events = self._bytes = 0

    @property
    def has_plenty(self) -> bool:
        """Whether less than half of it is taken."""
        return 2 * self._events < self._max_events and 2 * self._bytes < self._max_bytes

    def take(self, size: int) -> bool:
        """Reserves room for an event of that size. False when the limit is reached."""
        if self._events >= self._max_events or self._bytes >= self._max_bytes:
            return False
        self._events += 1
        self._bytes += size
        return True

    def give_back(self, leaving: Iterable[Announced]) -> None:
        for announced in leaving:
            self._events -= 1
            self._bytes -= announced.size


class Subscriber:
    """Made by the hub, which offers events; its client's task takes them. It gets nothing until it has joined."""

    def __init__(self, tenant_id: UUID, wants: JobEvents | TypedEvents, room: Room | None = None) -> None:
        self.tenant_id = tenant_id
        self.wants = wants
        self._room = room or Room()
        self._waiting: deque[Announced] = deque()
        self._taken: tuple[Announced, ...] = ()
        self._behind = True
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._try_write: TryWrite | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._joined: asyncio.Future[str] | None = None
        self._on_end: Callable[[], None] | None = None

    @property
    def live(self) -> bool:
        return not self._behind

    @property
    def ended(self) -> bool:
        return self._ended

    def offer(self, coming: Sequence[Announced]) -> None:
        if self._behind or self._ended or self._written_directly(coming):
            return
        for announced in coming:
            if announced.row is None and not self._room.has_plenty:
                continue  # Nothing lives on a live event: it gives way to what is stored.
            if not self._room.take(announced.size):
                self._drop_waiting()
                self._behind = True
                ingress_metrics.subscriber_fell_behind()
                break
            self._waiting.append(announced)
        self._wake()

    def go_live(self, snapshot: str) -> None:
        """Makes it live: from now on it is offered every event that the snapshot doesn't show."""
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
        self._set_timer(None)
        if self._joined is not None:
            self._joined.cancel()
        self._wake()
        if self._on_end is not None:
            self._on_end()

    def when_ended(self, call: Callable[[], None]) -> None:
        """Sets a callback for its end. Called once; immediately if it has already ended."""
        self._on_end = call
        if self._ended:
            call()

    async def joined(self) -> str | None:
        """Waits until it is live and returns the snapshot; None when it ends first."""
        self._joined = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._joined])
        return None if self._joined.cancelled() else self._joined.result()

    async def take(self, timeout_seconds: float, try_write: TryWrite | None = None) -> Taken:
        """All queued events, or the next ones to come; none when the time is up, or earlier.

        The events taken before count as written, and their room is given back. Events that `try_write` writes while the
        task sleeps are not returned and don't wake it."""
        self._give_back_taken()
        if not (self._waiting or self._behind or self._ended):
            self._try_write = try_write
            await self._sleep(timeout_seconds)
            self._try_write = None
        if self._ended:
            return Ended()
        if self._behind:
            return Behind()
        self._taken = tuple(self._waiting)
        self._waiting.clear()
        return self._taken

    def _written_directly(self, coming: Sequence[Announced]) -> bool:
        asleep = self._reader is not None and not self._reader.done()
        return asleep and self._try_write is not None and self._try_write(coming)

    def _drop_waiting(self) -> None:
        self._room.give_back(self._waiting)
        self._waiting.clear()

    def _give_back_taken(self) -> None:
        self._room.give_back(self._taken)
        self._taken = ()

    async def _sleep(self, timeout_seconds: float) -> None:
        # A thousand tasks may sleep here, so a timer is kept rather than cancelled for each event. One that fires early
        # wakes the task needlessly, which is cheaper.
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        if self._timer is None or self._timer.when() > loop.time() + timeout_seconds:
            self._set_timer(loop.call_later(timeout_seconds, self._on_timeout))
        try:
            await self._reader
        finally:
            self._reader = None

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    def _on_timeout(self) -> None:
        self._timer = None
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
