"""What of a worker's documents is being written: one write at a time for each document, and bounded in bytes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from infrastructure.concurrency.work_clock import waiting

MAX_BYTES: Final = 64_000_000
"""Of texts that one process has handed to its engine."""


@dataclass(slots=True)
class _Lane:
    """The writes of one document."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    """Who writes, and who waits to."""


class InFlight:
    """One per process."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._free_bytes = max_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._lanes: dict[tuple[UUID, str], _Lane] = {}

    @asynccontextmanager
    async def one(self, tenant_id: UUID, document_id: str, size_bytes: int) -> AsyncIterator[None]:
        """Waits until nobody else writes this document, in the order in which they came, and there is room for so many bytes.
        One that is larger than all the room goes alone."""
        async with self._lane((tenant_id, document_id)), self._room(min(size_bytes, self._max_bytes)):
            yield

    @asynccontextmanager
    async def _lane(self, name: tuple[UUID, str]) -> AsyncIterator[None]:
        lane = self._lanes.setdefault(name, _Lane())
        lane.users += 1
        try:
            with waiting():
                await lane.turn.acquire()
            try:
                yield
            finally:
                lane.turn.release()
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[name]

    @asynccontextmanager
    async def _room(self, size_bytes: int) -> AsyncIterator[None]:
        if self._waiting or size_bytes > self._free_bytes:
            await self._turn(size_bytes)
        else:
            self._free_bytes -= size_bytes
        try:
            yield
        finally:
            self._give_back(size_bytes)

    async def _turn(self, size_bytes: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        try:
            with waiting():
                await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(size_bytes)
            raise

    def _give_back(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        while self._waiting:
            wanted, turn = self._waiting[0]
            if not turn.done():  # Otherwise its waiter was cancelled.
                if wanted > self._free_bytes:
                    return
                self._free_bytes -= wanted
                turn.set_result(None)
            self._waiting.popleft()
