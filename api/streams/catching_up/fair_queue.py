"""Round-robin scheduling of reads and writes: between tenants, then between the kinds of stream of a tenant, then first
come, first served."""

import asyncio
from collections import OrderedDict
from typing import Generic, Literal, TypeVar
from uuid import UUID

from infrastructure.concurrency import watched

Kind = Literal["job", "tenant"]
"""The kind of stream: of one job, or of a whole tenant."""

AT_ONCE = 4
"""Turns per iteration of the event loop, so that other tasks run in between."""

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A round-robin queue. Items are hashable and unique."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[UUID, OrderedDict[Kind, OrderedDict[T, None]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def put(self, tenant_id: UUID, kind: Kind, item: T) -> None:
        self._tenants.setdefault(tenant_id, OrderedDict()).setdefault(kind, OrderedDict())[item] = None

    def take(self) -> T:
        """The oldest item of the kind, and of the tenant, served least recently. Raises KeyError when the queue is empty."""
        tenant_id, kinds = self._tenants.popitem(last=False)
        kind, items = kinds.popitem(last=False)
        item, _ = items.popitem(last=False)
        if items:
            kinds[kind] = items
        if kinds:
            self._tenants[tenant_id] = kinds
        return item

    def discard(self, tenant_id: UUID, kind: Kind, item: T) -> None:
        """Removes the item if it is there. Repeating it is safe."""
        kinds = self._tenants.get(tenant_id, OrderedDict())
        items = kinds.get(kind, OrderedDict())
        if item not in items:
            return
        del items[item]
        if not items:
            del kinds[kind]
        if not kinds:
            del self._tenants[tenant_id]


class Turns:
    """Shares the event loop: a thousand streams with something to write must not delay everything else."""

    def __init__(self) -> None:
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue()
        self._giving: asyncio.Task[None] | None = None

    async def turn(self, tenant_id: UUID, kind: Kind) -> None:
        """Waits for a turn, which lasts until the task next suspends."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(tenant_id, kind, mine)
        if self._giving is None:
            self._giving = watched.start(self._give(), name="gives readers their turns")
        try:
            await mine
        except asyncio.CancelledError:
            self._waiting.discard(tenant_id, kind, mine)
            raise

    async def close(self) -> None:
        if self._giving is not None:
            self._giving.cancel()
            await asyncio.wait([self._giving])

    async def _give(self) -> None:
        try:
            while self._waiting:
                for _ in range(AT_ONCE):
                    if not self._waiting:
                        break
                    if not (next_one := self._waiting.take()).done():
                        next_one.set_result(None)
                await asyncio.sleep(0)
        finally:
            self._giving = None
