"""How many bulk requests are under way at a time: one more after each that succeeds, half as many after a rejected one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from infrastructure.celery.keys import STEPS_IN_TURN
from infrastructure.concurrency.fair_slots import FairPlaces

MOST: Final = 8
FIRST: Final = 4


class Congestion:
    """Tenants take turns, so that one's backlog doesn't hold up another's document."""

    def __init__(self, *, first: int = FIRST, most: int = MOST) -> None:
        self._most = most
        self._allowed = first
        self._places = FairPlaces(first)
        self.fewest = first
        """That were ever allowed at a time."""
        self._begun = 0
        self._halved_at = 0

    @property
    def allowed(self) -> int:
        return self._allowed

    @asynccontextmanager
    async def turn(self, tenant_id: UUID) -> AsyncIterator[int]:
        """Holds a place; yields the request's number, to be given back with what became of it."""
        async with self._places.one(STEPS_IN_TURN[0], tenant_id):
            self._begun += 1
            yield self._begun

    def succeeded(self) -> None:
        if self._allowed < self._most:
            self._resize(self._allowed + 1)

    def rejected(self, number: int) -> None:
        """Those that were under way together are rejected together, and count once."""
        if number > self._halved_at:
            self._halved_at = self._begun
            self._resize(max(1, self._allowed // 2))

    def _resize(self, allowed: int) -> None:
        self._places.resize(allowed - self._allowed)
        self._allowed = allowed
        self.fewest = min(self.fewest, allowed)
