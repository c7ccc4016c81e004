"""A connection pool whose transactions see one tenant each: row-level security behind every `WHERE tenant_id = …`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar
from uuid import UUID

from infrastructure.concurrency.work_clock import waiting
from infrastructure.postgres.session import BUS_SESSION, Connection, PostgresSession, Role, SessionChanged

T = TypeVar("T")

# The session has the role already. Each transaction sets it too, so that a session that was reset by a pooler or
# `DISCARD ALL` never reads in a role that sees every tenant.
_SHOW_ONLY = f"SELECT set_config('role', '{Role.TENANT}', true), set_config('app.tenant_id', %s, true)"


class TenantPool:
    """A bounded pool of connections in the tenant's role. A caller waits while all are in use."""

    def __init__(
        self, database_url: str, name: str, size: int = 8, *, session: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        settings = {**BUS_SESSION, **session}
        self._sessions = [
            PostgresSession(database_url, Role.TENANT, f"{name} {number}", settings) for number in range(size)
        ]
        # Last in, first out, so that a quiet process uses few connections.
        self._idle: asyncio.LifoQueue[PostgresSession] = asyncio.LifoQueue()
        for each in self._sessions:
            self._idle.put_nowait(each)

    async def run(self, tenant_id: UUID, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs the work in one transaction that sees only this tenant's rows, and returns its result.

        Unavailable when PostgreSQL can't be reached or went away; a write may then be committed or not.
        """

        async def as_tenant(connection: Connection) -> T:
            async with connection.transaction():
                await show_only(connection, tenant_id)
                return await work(connection)

        return await self.lend(as_tenant)

    async def lend(self, transaction: Callable[[Connection], Awaitable[T]]) -> T:
        """Lends a connection to a function that opens its own transaction and calls `show_only` in it."""
        with waiting():
            session = await self._idle.get()
        try:
            return await session.run(transaction)
        except SessionChanged:  # The transaction was rolled back, so it is safe to repeat.
            return await session.run(transaction)
        finally:
            self._idle.put_nowait(session)

    async def close(self) -> None:
        for session in self._sessions:
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def show_only(connection: Connection, tenant_id: UUID) -> None:
    """Makes only this tenant's rows visible until the transaction ends."""
    await connection.execute(_SHOW_ONLY, (str(tenant_id),))
