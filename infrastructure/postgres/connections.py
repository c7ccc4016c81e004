"""How this product connects: with which role, which session settings, and again when a connection breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import Transformer
from psycopg.pq import TransactionStatus

from infrastructure.ports import Unavailable, Unstorable

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 30
LANE_SESSION = {
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
        self.prepared: dict[str, Transformer | None] = {}
        """The statements of infrastructure/postgres/prepared.py that the session knows, and how their rows are read."""


class Role(StrEnum):
    """Whom a connection acts as: see the migration `0001_jobs` for what each may do."""

    TENANT = "bucatini_tenant"
    SUBMIT = "bucatini_submit"
    SYSTEM = "bucatini_system"


class Line:
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
            except LOST as error:
                await self.close()
                raise Unavailable(f"PostgreSQL ended or refused the connection '{self._name}'") from error
            except psycopg.DataError as error:
                raise Unstorable(f"PostgreSQL can't hold a value that '{self._name}' was given") from error
            except BaseException:
                # A cancelled or failed statement may have left the session in the middle of something.
                if self._connection is not None and self._connection.info.transaction_status != TransactionStatus.IDLE:
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def connect(database_url: str, role: Role, name: str, session: dict[str, str] | None = None) -> Connection:
    """An autocommitting connection that acts as the role."""
    connection = await Connection.connect(
        database_url,
        autocommit=True,
        prepare_threshold=0,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name=f"bucatini {name}",
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )
    await connection.execute(session_statement(role, session or {}))
    return connection


def session_statement(role: Role, session: dict[str, str]) -> sql.Composed:
    """One round trip for the role and all settings of a session."""
    settings = {"role": role.value, **session}
    calls = [sql.SQL("set_config({}, {}, false)").format(name, value) for name, value in settings.items()]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls))
