"""Readiness probe for PostgreSQL: performs a durable write, since a server that answers `SELECT 1` may refuse
writes."""

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

# A message in the write-ahead log is flushed to disk like a job's row, and leaves no row behind; the sort exceeds
# work_mem, so it needs temporary space on the disk.
_PROBE = """
SELECT CASE WHEN current_setting('transaction_read_only') = 'on' THEN NULL
            ELSE pg_logical_emit_message(true, 'bucatini', '') END IS NOT NULL,
       (SELECT max(length(pad)) FROM
         (SELECT pad FROM (SELECT n, repeat('x', 2000) AS pad FROM generate_series(1, 60) n OFFSET 0) wide
           ORDER BY -n OFFSET 1) sorted)
"""


class PostgresProbe:
    """A probe with its own connection, so that it never waits for other statements."""

    def __init__(self, database_url: str) -> None:
        self._session = PostgresSession(database_url, Role.SYSTEM, "health", SESSION)

    async def __call__(self) -> Condition:
        """Runs the probe, within ANSWER_SECONDS."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._look()
                # The connection may have broken long ago: what counts is whether a new one works.
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
