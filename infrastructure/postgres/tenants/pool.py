"""Connections that see one tenant at a time: the second wall behind every `WHERE tenant_id = …`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar
from uuid import UUID

from infrastructure.concurrency.work_clock import waiting
from infrastructure.postgres.session import BUS_SESSION, Connection, PostgresSession, Role, SessionChanged

T = TypeVar("T")

# The role is the session's already. It is the transaction's too, so that no session that lost its own, to a pooler or a
# `DISCARD ALL`, ever reads as somebody who sees everything.
_SHOW_ONLY = f"SELECT set_config('role', '{Role.TENANT}', true), set_config('app.tenant_id', %s, true)"


class TenantPool:
    """A bounded set of connections that act as the tenant's role. Who finds all of them taken waits for one."""

    def __init__(
        self, database_url: str, name: str, size: int = 8, *, session: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        settings = {**BUS_SESSION, **session}
        self._sessions = [
            PostgresSession(database_url, Role.TENANT, f"{name} {number}", settings) for number in range(size)
        ]
        # The last one given back is taken first, so that a quiet process keeps few connections busy.
        self._idle: asyncio.LifoQueue[PostgresSession] = asyncio.LifoQueue()
        for line in self._sessions:
            self._idle.put_nowait(line)

    async def run(self, tenant_id: UUID, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What the work returns, done in one transaction to which only this tenant's rows exist.

        Unavailable when PostgreSQL can't be reached or went away; a write may then be committed or not.
        """

        async def as_tenant(connection: Connection) -> T:
            async with connection.transaction():
                await show_only(connection, tenant_id)
                return await work(connection)

        return await self.lend(as_tenant)

    async def lend(self, transaction: Callable[[Connection], Awaitable[T]]) -> T:
        """The same for one transaction that begins and ends by itself, and says itself whose it is: see `show_only`."""
        with waiting():
            session = await self._idle.get()
        try:
            return await session.run(transaction)
        except SessionChanged:  # What the transaction had done is undone, so it may be done again.
            return await session.run(transaction)
        finally:
            self._idle.put_nowait(session)

    async def close(self) -> None:
        for line in self._sessions:
            await line.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def show_only(connection: Connection, tenant_id: UUID) -> None:
    """Until the transaction around this ends, only this tenant's rows exist."""
    await connection.execute(_SHOW_ONLY, (str(tenant_id),))
