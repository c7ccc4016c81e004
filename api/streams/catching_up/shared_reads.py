"""Deduplicates concurrent reads for event streams, schedules them fairly, and drops those whose clients have left."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from api.streams.catching_up.fair_queue import FairQueue, Kind
from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Read:
    tenant_id: UUID
    kind: Kind
    key: Hashable
    work: Callable[[Connection], Awaitable[Any]]
    answer: "asyncio.Future[Any]"
    begun: bool = False
    readers: int = field(default=0)


class SharedReads:
    """Runs as many reads at a time as the pool has connections. Reads are short and scheduled round-robin, so the wait
    doesn't depend on how many clients other tenants have."""

    def __init__(self, pool: TenantPool, size: int) -> None:
        self._pool = pool
        self._queue: FairQueue[_Read] = FairQueue()
        self._known: dict[tuple[UUID, Hashable], _Read] = {}
        self._reading = WatchedTasks()
        self._free = size

    async def read(
        self,
        tenant_id: UUID,
        kind: Kind,
        key: Hashable,
        work: Callable[[Connection], Awaitable[T]],
        *,
        lasting: Callable[[T], bool],
    ) -> T:
        """Returns or raises what `work` does, shared with concurrent callers for the same key.

        The result of a read that had already begun is used only if it is `lasting`, that is, the same whenever it is read.
        A queued read without callers is dropped; a running one isn't cancelled, since that would cost its connection.
        """
        under_way = self._known.get((tenant_id, key))
        if under_way is not None and under_way.begun:
            answer: T = await self._share(under_way)
            if lasting(answer):
                return answer
        read = self._known.get((tenant_id, key))
        if read is None:
            read = _Read(tenant_id, kind, key, work, asyncio.get_running_loop().create_future())
            self._known[tenant_id, key] = read
            self._queue.put(tenant_id, kind, read)
            self._begin()
        begun_later: T = await self._share(read)
        return begun_later

    async def _share(self, read: _Read) -> Any:
        read.readers += 1
        try:
            return await asyncio.shield(read.answer)
        finally:
            read.readers -= 1
            if not (read.readers or read.begun):
                self._queue.discard(read.tenant_id, read.kind, read)
                self._forget(read)

    async def close(self) -> None:
        await self._reading.cancel()

    def _begin(self) -> None:
        if self._free:
            self._free -= 1
            self._reading.start(self._read_on(), "shared event reads")

    async def _read_on(self) -> None:
        try:
            while self._queue:
                await self._answer(self._queue.take())
        finally:
            self._free += 1

    async def _answer(self, read: _Read) -> None:
        read.begun = True
        try:
            answer = await self._pool.run(read.tenant_id, read.work)
        except BaseException as error:
            # Raised in the callers that share this read; the loop goes on with the next.
            read.answer.set_exception(error)
            read.answer.exception()  # Marks it as retrieved: all callers may have left.
            if not isinstance(error, Exception):
                raise
        else:
            read.answer.set_result(answer)
        finally:
            self._forget(read)

    def _forget(self, read: _Read) -> None:
        if self._known.get((read.tenant_id, read.key)) is read:
            del self._known[read.tenant_id, read.key]
