"""How this product connects: with which role, which session settings, and again when a connection breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg.pq import TransactionStatus

from infrastructure.ports import Unavailable, Unstorable
from infrastructure.postgres import refusals
from infrastructure.postgres.address import CONNECT_TIMEOUT_SECONDS, conninfo
from infrastructure.postgres.fitness import refuse_encoding, refuse_transaction_pooling
from infrastructure.postgres.schema import refuse_tables
from infrastructure.postgres.statements import Statements

if TYPE_CHECKING:  # Workers and the dispatcher needn't load SQLAlchemy.
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

STATEMENT_TIMEOUT_SECONDS = 30
SESSION = {
    # Whatever the database, its roles or a variable such as PGTZ would make of them.
    "search_path": "public, pg_temp",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "default_transaction_isolation": "read committed",
    "row_security": "on",
    "synchronous_commit": "on",
    "idle_session_timeout": "0",
}
"""What every session has."""
BUS_SESSION = {
    # The planner sees these tables empty at first and would cache plans that halve the speed later; the statements
    # all walk an index, so the other roads are closed (docs/performance.md).
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
"""The errors of a server that is gone, or can't do its work for now: a standby not yet promoted, a disk that is full."""


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """One session of PostgreSQL's."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.statements = self._prepared = Statements()
        self.engine: AsyncEngine | None = None
        """SQLAlchemy's, over this connection alone; infrastructure/postgres/tenants/sessions.py makes it when asked."""


class SessionChanged(Unavailable):
    """The session is not the one that its statements were prepared in: a pooler or a `DISCARD ALL` was at it, or the
    tables are others. The statement did nothing, what its transaction had done before is undone, and the next one gets
    a new session."""


class Role(StrEnum):
    """Whom a connection acts as: see the migration `0001_jobs` for what each may do."""

    TENANT = "bucatini_tenant"
    SUBMIT = "bucatini_submit"
    SYSTEM = "bucatini_system"


class PostgresSession:
    """One connection, kept for one kind of statement and opened again after it broke. Its users take turns."""

    def __init__(self, database_url: str, role: Role, name: str, session: dict[str, str] | None = None) -> None:
        self._database_url = database_url
        self._role = role
        self._name = name
        self._session = {"statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s", **(session or {})}
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What the work returns. Unavailable when PostgreSQL can't be reached or went away on the way; Unstorable when
        it can't hold a value.

        The work may then have been committed or not: repeat it only if it is safe to.
        """
        async with self._turn:
            try:
                return await work(await self._open())
            except psycopg.Error as error:
                # The values that a statement was given are its caller's affair. After any other error nobody knows
                # what the session is yet, so nothing is asked of it again.
                if not isinstance(error, psycopg.DataError) or not self._is_idle():
                    await self.close()
                if (failure := self._failure(error)) is None:
                    raise
                raise failure from error
            except BaseException:
                # A cancelled or failed statement may have left the session in the middle of something.
                if not self._is_idle():
                    await self.close()
                raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*LOST):
                await connection.close()

    async def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._database_url, self._role, self._name, self._session)
        return self._connection

    def _is_idle(self) -> bool:
        return self._connection is None or self._connection.info.transaction_status == TransactionStatus.IDLE

    def _failure(self, error: psycopg.Error) -> Unavailable | Unstorable | None:
        """What it means to whoever asked; None for what only a mistake of ours can bring about."""
        if isinstance(error, LOST):
            return Unavailable(f"{refusals.note(error)} (connection '{self._name}')")
        if isinstance(error, psycopg.DataError):
            return Unstorable(f"PostgreSQL can't hold a value that '{self._name}' was given")
        if _session_changed(error):
            return SessionChanged(
                f"the session '{self._name}' had forgotten its statements and is made anew: try again"
            )
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _session_changed(error: psycopg.Error) -> bool:
    if isinstance(error, (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)):
        return True
    # "cached plan must not change result type", in whatever language the server says it.
    return isinstance(error, errors.FeatureNotSupported) and error.diag.source_function == "RevalidateCachedQuery"


async def connect(database_url: str, role: Role, name: str, session: dict[str, str] | None = None) -> Connection:
    """An autocommitting connection that acts as the role. Unfit where the database can't be worked on."""
    connection = await Connection.connect(conninfo(database_url, name), autocommit=True, prepare_threshold=0)
    try:
        refuse_encoding(connection)
        await refuse_tables(connection)
        found = await connection.execute(session_statement(role, session or {}), prepare=False)
        # A pooler makes up its own number for the session, to cancel by.
        if ((await found.fetchone()) or (None,))[0] != connection.info.backend_pid:
            await refuse_transaction_pooling(database_url)
    except BaseException:
        await connection.close()
        raise
    return connection


def connect_blocking(
    database_url: str,
    role: Role | None,
    name: str,
    session: dict[str, str] | None = None,
    *,
    connect_timeout_seconds: int = CONNECT_TIMEOUT_SECONDS,
) -> "psycopg.Connection[tuple[Any, ...]]":
    """The same for a thread or a command; as whoever DATABASE_URL names without a role. It prepares nothing."""
    address = conninfo(database_url, name, connect_timeout_seconds=connect_timeout_seconds)
    connection = psycopg.connect(address, autocommit=True, prepare_threshold=None)
    try:
        refuse_encoding(connection)
        connection.execute(session_statement(role, session or {}))
    except BaseException:
        connection.close()
        raise
    return connection


def session_statement(role: Role | None, session: dict[str, str]) -> sql.Composed:
    """One round trip for the role and all settings of a session; its answer begins with the session's number."""
    settings = {**({} if role is None else {"role": role.value}), **SESSION, **session}
    calls = [sql.SQL("set_config({}, {}, false)").format(name, value) for name, value in settings.items()]
    return sql.SQL("SELECT pg_backend_pid(), {}").format(sql.SQL(", ").join(calls))
