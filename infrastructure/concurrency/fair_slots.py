"""A number of places that are handed out in turn: to urgent work first, and of one step to each tenant in turn."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from infrastructure.celery.keys import STEPS_IN_TURN


class FairPlaces:
    """Like a semaphore, whose line is one of tenants. A tenant's own come in the order they asked."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._steps: dict[int, dict[UUID, deque[asyncio.Future[None]]]] = {step: {} for step in STEPS_IN_TURN}

    @asynccontextmanager
    async def one(self, step: int, tenant_id: UUID) -> AsyncIterator[None]:
        """A place for the block, when it is this one's turn."""
        await self.take(step, tenant_id)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, step: int, tenant_id: UUID) -> None:
        """Returns with a place. Who took one gives it back."""
        if self._free:
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
        if (turn := self._next()) is None:
            self._free += 1
        else:
            turn.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        for tenants in self._steps.values():
            while tenants:
                # A dict keeps the order it was filled in: who had a turn goes to its end.
                tenant_id, waiting = next(iter(tenants.items()))
                del tenants[tenant_id]
                while waiting:
                    turn = waiting.popleft()
                    if not turn.done():  # Else it was cancelled, and nobody waits for it any more.
                        if waiting:
                            tenants[tenant_id] = waiting
                        return turn
        return None
