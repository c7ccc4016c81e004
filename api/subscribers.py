"""One reader's share of the hub: a short queue, and the word when it was too short."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from api.frames import Announced
from monitoring import metrics
from schemas.event_types import matches

MOST_WAITING = 256
"""Events that wait for one reader. A slower one reads from PostgreSQL instead, at its own pace."""


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


class Subscriber:
    """Made by the hub, which offers; its reader takes. Begins behind: nothing comes before it has joined."""

    def __init__(self, tenant_id: UUID, wants: JobEvents | TypedEvents) -> None:
        self.tenant_id = tenant_id
        self.wants = wants
        self._waiting: deque[Announced] = deque()
        self._behind = True
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._joined: asyncio.Future[str] | None = None
        self._on_end: Callable[[], None] | None = None

    @property
    def live(self) -> bool:
        return not self._behind

    @property
    def ended(self) -> bool:
        return self._ended

    def offer(self, announced: Announced) -> None:
        if self._behind:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self._behind = True
            metrics.subscriber_fell_behind()
        else:
            self._waiting.append(announced)
        self._wake()

    def go_live(self, snapshot: str) -> None:
        """From now on it gets what the snapshot doesn't show."""
        self._waiting.clear()
        self._behind = False
        if self._joined is not None and not self._joined.done():
            self._joined.set_result(snapshot)

    def end(self) -> None:
        if self._ended:
            return
        self._ended = True
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

    async def take(self, timeout_seconds: float) -> Taken:
        """All that waits, or the first that comes; nothing when the time is up, or sooner."""
        if not (self._waiting or self._behind or self._ended):
            await self._sleep(timeout_seconds)
        if self._ended:
            return Ended()
        if self._behind:
            return Behind()
        taken = tuple(self._waiting)
        self._waiting.clear()
        return taken

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
