"""Reads are shared by concurrent callers and dropped once all have left. Only the pool is a fake."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from api.streams.catching_up.shared_reads import SharedReads
from infrastructure.postgres.tenants.pool import TenantPool

TENANT, OTHER = UUID(int=1), UUID(int=2)


class _Pool(TenantPool):
    """A pool whose queries wait for `gate`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def run(self, tenant_id: UUID, work: Callable[[Any], Awaitable[Any]]) -> Any:
        await self.gate.wait()
        return await work(None)


def test_concurrent_callers_share_one_read_and_a_read_without_callers_is_dropped() -> None:
    async def read() -> None:
        pool, done = _Pool(), list[str]()
        reads = SharedReads(pool, 1)

        def ask(tenant_id: UUID, key: str) -> "asyncio.Task[str]":
            async def work(_: Any) -> str:
                done.append(key)
                return f"{key} {done.count(key)}"

            return asyncio.create_task(reads.read(tenant_id, "tenant", key, work, lasting=lambda _: True))

        first = [ask(TENANT, "a") for _ in range(3)]
        left = [ask(TENANT, "b") for _ in range(3)]
        await asyncio.sleep(0)
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        other = ask(OTHER, "c")
        pool.gate.set()

        assert await asyncio.gather(*first, other) == ["a 1", "a 1", "a 1", "c 1"]
        assert done == ["a", "c"]

    asyncio.run(read())


def test_a_result_that_may_change_is_read_again_for_callers_after_it_began() -> None:
    async def read() -> None:
        pool, done = _Pool(), list[int]()
        reads = SharedReads(pool, 1)

        async def work(_: Any) -> int:
            done.append(1)
            return len(done)

        def ask() -> "asyncio.Task[int]":
            return asyncio.create_task(reads.read(TENANT, "job", "a", work, lasting=lambda _: False))

        early = ask()
        await asyncio.sleep(0)
        late = [ask(), ask()]
        await asyncio.sleep(0)
        pool.gate.set()

        assert await early == 1
        assert await asyncio.gather(*late) == [2, 2]

    asyncio.run(read())
