"""What is read once for many readers, and not at all for those who have left. The lines are the only stand-in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from api.streams.catching_up.shared_reads import SharedReads
from infrastructure.postgres.tenants.pool import TenantPool

TENANT, OTHER = UUID(int=1), UUID(int=2)


class _Lines(TenantPool):
    """One line, which waits to be let go on."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def run(self, tenant_id: UUID, work: Callable[[Any], Awaitable[Any]]) -> Any:
        await self.gate.wait()
        return await work(None)


def test_who_asks_for_the_same_shares_one_read_and_who_left_has_none() -> None:
    async def read() -> None:
        lines, done = _Lines(), list[str]()
        reads = SharedReads(lines, 1)

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
        lines.gate.set()

        assert await asyncio.gather(*first, other) == ["a 1", "a 1", "a 1", "c 1"]
        assert done == ["a", "c"]

    asyncio.run(read())


def test_an_answer_that_may_have_changed_is_read_anew_for_who_asked_after_it_was_begun() -> None:
    async def read() -> None:
        lines, done = _Lines(), list[int]()
        reads = SharedReads(lines, 1)

        async def work(_: Any) -> int:
            done.append(1)
            return len(done)

        def ask() -> "asyncio.Task[int]":
            return asyncio.create_task(reads.read(TENANT, "job", "a", work, lasting=lambda _: False))

        early = ask()
        await asyncio.sleep(0)
        late = [ask(), ask()]
        await asyncio.sleep(0)
        lines.gate.set()

        assert await early == 1
        assert await asyncio.gather(*late) == [2, 2]

    asyncio.run(read())
