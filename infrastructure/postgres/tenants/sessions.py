"""SQLAlchemy sessions that see one tenant at a time, for everything off the hot path.

They borrow TenantPool's connections, so there is one pool, one way to open and close a connection, and one meaning of
each error. The decision is docs/decisions/0018-sqlalchemy-borrows-a-tenants-connection.md.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import psycopg
from sqlalchemy import Connection as AlchemyConnection
from sqlalchemy import StaticPool, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool, show_only

T = TypeVar("T")

STATEMENTS_COMPILED = 200
"""Compiled statements that each connection caches."""


class TenantSession(AsyncSession):
    """One transaction that sees one tenant's rows only. It can't be used afterwards."""

    def __init__(self, engine: AsyncEngine, driver: Connection) -> None:
        super().__init__(engine, expire_on_commit=False, close_resets_only=False)
        self.driver = driver
        """The psycopg connection, in the same transaction. It sees what was added to the session once it was
        flushed."""


class TenantSessions:
    """TenantPool for SQLAlchemy: runs work in a TenantSession."""

    def __init__(self, pool: TenantPool) -> None:
        self._pool = pool

    async def run(self, tenant_id: UUID, work: Callable[[TenantSession], Awaitable[T]]) -> T:
        """Runs the work in one transaction and returns its result; rolls back when it raises.

        Raises Unavailable, Unstorable and SessionChanged as TenantPool does. The work may be run twice, the first time
        without effect; a write that ended in Unavailable may be committed or not.
        """

        async def in_session(connection: Connection) -> T:
            try:
                return await _in_transaction(connection, tenant_id, work)
            except DBAPIError as error:
                if not isinstance(error.orig, psycopg.Error):
                    raise
                # SQLAlchemy's error would quote the statement; PostgresSession translates psycopg's own.
                raise error.orig from None

        return await self._pool.lend(in_session)


async def _in_transaction(connection: Connection, tenant_id: UUID, work: Callable[[TenantSession], Awaitable[T]]) -> T:
    if connection.engine is None:
        connection.engine = await _engine_of(connection)
    session = TenantSession(connection.engine, connection)
    try:
        async with session.begin():
            await session.connection()  # Until then nothing has begun, and the driver's statements would stand alone.
            await show_only(connection, tenant_id)
            return await work(session)
    finally:
        await session.close()  # `async with` would do it in a task, which a cancelled call leaves behind.


async def _engine_of(connection: Connection) -> AsyncEngine:
    async def itself() -> Connection:
        return connection

    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=itself,
        poolclass=StaticPool,
        pool_reset_on_return=None,  # PostgresSession closes a connection that isn't idle afterwards.
        query_cache_size=STATEMENTS_COMPILED,
        hide_parameters=True,
        use_native_hstore=False,
    )
    event.listen(engine.sync_engine, "begin", _begin)
    async with engine.connect():
        pass  # SQLAlchemy looks at a server when it first sees it, and rolls back afterwards.
    return engine


def _begin(connection: AlchemyConnection) -> None:
    # The connection is in autocommit, so psycopg doesn't begin a transaction of its own.
    connection.exec_driver_sql("BEGIN")
