"""PostgreSQL connections: their role, their session settings, and reconnecting."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg._preparing import Key, Prepare, PrepareManager
from psycopg.abc import Transformer
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from infrastructure.ports import Unavailable, Unstorable
from infrastructure.postgres import refusals
from infrastructure.postgres.address import CONNECT_TIMEOUT_SECONDS, conninfo
from infrastructure.postgres.fitness import refuse_encoding, refuse_transaction_pooling
from infrastructure.postgres.schema import refuse_tables

if TYPE_CHECKING:  # Workers and the dispatcher needn't load SQLAlchemy.
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

STATEMENT_TIMEOUT_SECONDS = 30
SESSION = {
    # Set explicitly, whatever the database, its roles or a variable such as PGTZ would set.
    "search_path": "public, pg_temp",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "default_transaction_isolation": "read committed",
    "row_security": "on",
    "synchronous_commit": "on",
    "idle_session_timeout": "0",
}
"""Settings of every session."""
BUS_SESSION = {
    # The planner first sees these tables empty and would cache plans that halve the speed later; every statement uses
    # an index, so other plans are disabled (docs/performance.md).
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
"""The errors of a server that is gone or can't work for now, such as a standby not yet promoted or a full disk."""


class Statements(PrepareManager):
    """Tracks a session's prepared statements, psycopg's own and those of infrastructure/postgres/prepared.py.

    They last as long as the session. psycopg by itself deallocates all of them, ours too, at every rollback, in case a
    statement's table was created in that transaction; no session of ours creates or drops tables.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: dict[str, Transformer | None] = {}
        """By the name of our own statements: the decoder of their rows, set at the first result with rows."""

    def clear(self) -> bool:
        return False

    def validate(self, key: Key, prep: Prepare, name: bytes, results: Sequence[PGresult]) -> None:
        # A statement that failed stays prepared. psycopg would drop its name and prepare it again under another.
        self._rotate()


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A psycopg connection with our own prepared statements."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.statements = self._prepared = Statements()
        self.engine: AsyncEngine | None = None
        """SQLAlchemy's engine over this connection; infrastructure/postgres/tenants/sessions.py makes it when it is
        needed."""


class SessionChanged(Unavailable):
    """The session lost its prepared statements: a pooler or `DISCARD ALL` reset it, or the tables changed.

    The statement and its transaction had no effect, and the next one gets a new session, so repeating is safe."""


class Role(StrEnum):
    """The database role of a connection: the migration `0001_jobs` grants what each may do."""

    TENANT = "bucatini_tenant"
    SUBMIT = "bucatini_submit"
    SYSTEM = "bucatini_system"


class PostgresSession:
    """One connection that is kept open and reopened after it broke. Callers take turns."""

    def __init__(self, database_url: str, role: Role, name: str, session: dict[str, str] | None = None) -> None:
        self._database_url = database_url
        self._role = role
        self._name = name
        self._session = {"statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s", **(session or {})}
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs the work on the connection and returns its result.

        Unavailable when PostgreSQL can't be reached or the connection broke: the work may have been committed or not,
        so repeat it only if that is safe. Unstorable when PostgreSQL can't hold a value.
        """
        async with self._turn:
            try:
                return await work(await self._open())
            except psycopg.Error as error:
                # A value out of range is the caller's error and leaves the session usable. After any other error its
                # state is unknown, so it is closed.
                if not isinstance(error, psycopg.DataError) or not self._is_idle():
                    await self.close()
                if (failure := self._failure(error)) is None:
                    raise
                raise failure from error
            except BaseException:
                # A cancelled statement may have left the session in a transaction.
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
        """The error to raise to the caller; None for what only a bug of ours can cause."""
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
    # "cached plan must not change result type", in whatever language the server reports it.
    return isinstance(error, errors.FeatureNotSupported) and error.diag.source_function == "RevalidateCachedQuery"


async def connect(database_url: str, role: Role, name: str, session: dict[str, str] | None = None) -> Connection:
    """Opens an autocommit connection in the role. Unfit when this product can't work with the database."""
    connection = await Connection.connect(conninfo(database_url, name), autocommit=True, prepare_threshold=0)
    try:
        refuse_encoding(connection)
        await refuse_tables(connection)
        found = await connection.execute(session_statement(role, session or {}), prepare=False)
        # A pooler reports a process id of its own, for cancel requests.
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
    """Opens a blocking connection, for a thread or a command; without a role as the user of DATABASE_URL. It prepares
    no statements."""
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
    """The statement that sets the role and all settings of a session; its first column is the backend's process id."""
    settings = {**({} if role is None else {"role": role.value}), **SESSION, **session}
    calls = [sql.SQL("set_config({}, {}, false)").format(name, value) for name, value in settings.items()]
    return sql.SQL("SELECT pg_backend_pid(), {}").format(sql.SQL(", ").join(calls))
