"""A semaphore that is fair between tenants: slots go to urgent work first, and within a priority step round robin."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from infrastructure.celery.keys import STEPS_IN_TURN


class FairPlaces:
    """A number of slots, acquired round robin by tenant and in order within a tenant."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._steps: dict[int, dict[UUID, deque[asyncio.Future[None]]]] = {step: {} for step in STEPS_IN_TURN}

    @asynccontextmanager
    async def one(self, step: int, tenant_id: UUID) -> AsyncIterator[None]:
        """Holds a slot for the block; waits for its turn."""
        await self.take(step, tenant_id)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, step: int, tenant_id: UUID) -> None:
        """Acquires a slot; release it with `give_back`."""
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._steps[step].setdefault(tenant_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        self._free += 1
        self._hand_out()

    def resize(self, by: int) -> None:
        """Adds so many slots, or takes them away: those in use go when they are given back."""
        self._free += by
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free > 0 and (turn := self._next()) is not None:
            self._free -= 1
            turn.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        for tenants in self._steps.values():
            while tenants:
                # A dict keeps insertion order: a tenant that had its turn goes to the end.
                tenant_id, waiting = next(iter(tenants.items()))
                del tenants[tenant_id]
                while waiting:
                    turn = waiting.popleft()
                    if not turn.done():  # Otherwise its waiter was cancelled.
                        if waiting:
                            tenants[tenant_id] = waiting
                        return turn
        return None
