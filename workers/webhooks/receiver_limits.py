"""How much of this process one webhook may have: a slow receiver keeps its own deliveries waiting and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from infrastructure.concurrency.work_clock import waiting

AT_ONCE = 8
MAX_HERE = 32
"""Under way and waiting here. What exceeds it comes back later."""


class Crowded(Exception):
    """The webhook has MAX_HERE deliveries in this process already."""


class ReceiverLimits:
    def __init__(self) -> None:
        self._here: dict[UUID, int] = {}
        self._places: dict[UUID, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def one_of(self, webhook_id: UUID) -> AsyncIterator[None]:
        """A place for the block, when it is free. Crowded when too many wait for one."""
        if self._here.get(webhook_id, 0) >= MAX_HERE:
            raise Crowded
        self._here[webhook_id] = self._here.get(webhook_id, 0) + 1
        try:
            place = self._places.setdefault(webhook_id, asyncio.Semaphore(AT_ONCE))
            with waiting():
                await place.acquire()
            try:
                yield
            finally:
                place.release()
        finally:
            self._here[webhook_id] -= 1
            if not self._here[webhook_id]:
                del self._here[webhook_id], self._places[webhook_id]
