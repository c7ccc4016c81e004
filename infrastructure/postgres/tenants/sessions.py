"""SQLAlchemy for what isn't asked a thousand times a second: sessions that see one tenant at a time.

They use the connections of TenantPool, so there is one pool, one way to open and to end a connection and one meaning
of each error. The record is docs/decisions/0018-sqlalchemy-borrows-a-tenants-connection.md.
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
"""How many a connection keeps as text, so that a statement is turned into SQL once."""


class TenantSession(AsyncSession):
    """One transaction to which only one tenant's rows exist. Of no use after it."""

    def __init__(self, engine: AsyncEngine, driver: Connection) -> None:
        super().__init__(engine, expire_on_commit=False, close_resets_only=False)
        self.driver = driver
        """The connection below, in the same transaction, for statements that are written for psycopg. What was added
        to the session is there once it was flushed."""


class TenantSessions:
    """What TenantPool is to psycopg, to SQLAlchemy."""

    def __init__(self, lines: TenantPool) -> None:
        self._sessions = lines

    async def run(self, tenant_id: UUID, work: Callable[[TenantSession], Awaitable[T]]) -> T:
        """What the work returns, done in one transaction, which is committed when it returns and undone when it fails.

        Unavailable, Unstorable and SessionChanged as TenantPool has them. The work may be run twice, the first time
        without effect; a write that ended in Unavailable may be committed or not.
        """

        async def in_session(connection: Connection) -> T:
            try:
                return await _in_transaction(connection, tenant_id, work)
            except DBAPIError as error:
                if not isinstance(error.orig, psycopg.Error):
                    raise
                # SQLAlchemy's own says the same, with the statement. What it means is for the line to say.
                raise error.orig from None

        return await self._sessions.lend(in_session)


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
        pool_reset_on_return=None,  # A session that isn't idle when it is given back is ended by its line.
        query_cache_size=STATEMENTS_COMPILED,
        hide_parameters=True,
        use_native_hstore=False,
    )
    event.listen(engine.sync_engine, "begin", _begin)
    async with engine.connect():
        pass  # SQLAlchemy looks at a server when it first sees it, and rolls back afterwards.
    return engine


def _begin(connection: AlchemyConnection) -> None:
    # The connection commits each statement by itself outside a transaction, so psycopg begins none.
    connection.exec_driver_sql("BEGIN")
