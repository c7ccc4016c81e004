"""Asks PostgreSQL to do what the work asks of it: it may answer `SELECT 1` and keep nothing."""

import asyncio
from types import TracebackType
from typing import Self

from infrastructure.ports import Unavailable
from infrastructure.postgres.refusals import REASONS, condition, lately
from infrastructure.postgres.session import Connection, PostgresSession, Role
from schemas.health import Condition, PartState

ANSWER_SECONDS = 2.0
SESSION = {"work_mem": "64kB", "jit": "off", "statement_timeout": f"{ANSWER_SECONDS:g}s"}
READ_ONLY = "25006"

# A record in the log of changes is flushed to the disk as a job's is, and leaves no row behind; the sort doesn't fit into
# the session's memory and needs a little room on the disk for a moment.
_PROBE = """
SELECT CASE WHEN current_setting('transaction_read_only') = 'on' THEN NULL
            ELSE pg_logical_emit_message(true, 'bucatini', '') END IS NOT NULL,
       (SELECT max(length(pad)) FROM
         (SELECT pad FROM (SELECT n, repeat('x', 2000) AS pad FROM generate_series(1, 60) n OFFSET 0) wide
           ORDER BY -n OFFSET 1) sorted)
"""


class PostgresProbe:
    """Over a line of its own, so that it waits for nobody's turn."""

    def __init__(self, database_url: str) -> None:
        self._session = PostgresSession(database_url, Role.SYSTEM, "health", SESSION)

    async def __call__(self) -> Condition:
        """One statement; ANSWER_SECONDS at the longest."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._look()
                # The connection may have ended long ago: what counts is whether there can be another.
                return found if found.state is not PartState.FAILED else await self._look()
        except TimeoutError:
            return Condition(PartState.FAILED, f"PostgreSQL gave no answer within {ANSWER_SECONDS:g} s")

    async def _look(self) -> Condition:
        try:
            writes = await self._session.run(_writes)
        except Unavailable as error:
            return condition(error.__cause__ or error)
        return lately() if writes else Condition(PartState.DEGRADED, REASONS[READ_ONLY])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()


async def _writes(connection: Connection) -> bool:
    found = await connection.execute(_PROBE)
    row = await found.fetchone()
    return row is not None and bool(row[0])
