"""Whose turn it is when more readers want something than can have it: tenants take turns, and so do the kinds of stream
within each of them, and the readers within each kind."""

import asyncio
from collections import OrderedDict
from typing import Generic, Literal, TypeVar
from uuid import UUID

Kind = Literal["job", "tenant"]
"""Of stream: of one job, or of all that a tenant has."""

AT_ONCE = 4
"""Turns given before everything else in the process has one: each is worth a tenth of a millisecond."""

T = TypeVar("T")


class FairQueue(Generic[T]):
    """What waits for its turn. Items are hashable, and each is in it once."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[UUID, OrderedDict[Kind, OrderedDict[T, None]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def put(self, tenant_id: UUID, kind: Kind, item: T) -> None:
        self._tenants.setdefault(tenant_id, OrderedDict()).setdefault(kind, OrderedDict())[item] = None

    def take(self) -> T:
        """Of the tenant whose last turn was longest ago, and within it of such a kind, the item that has waited longest.
        KeyError when there is none."""
        tenant_id, kinds = self._tenants.popitem(last=False)
        kind, items = kinds.popitem(last=False)
        item, _ = items.popitem(last=False)
        if items:
            kinds[kind] = items
        if kinds:
            self._tenants[tenant_id] = kinds
        return item

    def discard(self, tenant_id: UUID, kind: Kind, item: T) -> None:
        """Takes it out, if it is there."""
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
    """On the event loop: a thousand readers who all have something to write would keep everybody else waiting."""

    def __init__(self) -> None:
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue()
        self._giving: asyncio.Task[None] | None = None

    async def turn(self, tenant_id: UUID, kind: Kind) -> None:
        """Returns when it has come. It is over at the next pause."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(tenant_id, kind, mine)
        if self._giving is None:
            self._giving = asyncio.create_task(self._give(), name="gives readers their turns")
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
