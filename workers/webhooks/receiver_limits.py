"""The concurrency limit per webhook in this process: a slow receiver delays its own deliveries and no others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from infrastructure.concurrency.work_clock import waiting

MAX_SENDING = 8
MAX_IN_PROCESS = 32
"""Deliveries sent and waiting, per webhook. Those beyond it are retried later."""


class Crowded(Exception):
    """The webhook has MAX_IN_PROCESS deliveries in this process already: try again later."""


class ReceiverLimits:
    def __init__(self) -> None:
        self._counts: dict[UUID, int] = {}
        self._semaphores: dict[UUID, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def slot_for(self, webhook_id: UUID) -> AsyncIterator[None]:
        """Holds one of the webhook's slots for the block, and waits until one is free. Raises Crowded when too many wait."""
        if self._counts.get(webhook_id, 0) >= MAX_IN_PROCESS:
            raise Crowded
        self._counts[webhook_id] = self._counts.get(webhook_id, 0) + 1
        try:
            semaphore = self._semaphores.setdefault(webhook_id, asyncio.Semaphore(MAX_SENDING))
            with waiting():
                await semaphore.acquire()
            try:
                yield
            finally:
                semaphore.release()
        finally:
            self._counts[webhook_id] -= 1
            if not self._counts[webhook_id]:
                del self._counts[webhook_id], self._semaphores[webhook_id]
