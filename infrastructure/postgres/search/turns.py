"""The right to change which generations a tenant's index has: one at a time, and gone with the connection that holds it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from psycopg.errors import LockNotAvailable

from infrastructure.concurrency.work_clock import waiting
from infrastructure.ports import Unavailable
from infrastructure.ports.search_locations import Standing, Standings
from infrastructure.postgres.session import LOST, Connection, Role, connect

WAIT_SECONDS: Final = 60.0
ASK_AGAIN_SECONDS: Final = 30.0
STATEMENT_SECONDS: Final = 300
ROWS_AT_ONCE: Final = 5_000

# Whoever looks up places holds this lock shared until its commit; changing the generations takes it exclusively. So a change
# waits for the look-ups in flight, and later ones see it.
LOOK_UP_PLACES: Final = (
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('bucatini search places ' || %s::text, 0))"
)
CHANGE_PLACES: Final = "SELECT pg_advisory_xact_lock(hashtextextended('bucatini search places ' || %s::text, 0))"
_ALONE = "SELECT pg_advisory_lock(hashtextextended('bucatini search turn ' || %s::text, 0))"

_BEGIN = """
INSERT INTO search_generations (tenant_id, generation, standing, indexes, languages)
SELECT %(tenant_id)s, %(number)s, 'building', ARRAY[%(index)s::text], coalesce((SELECT languages FROM search_generations
  WHERE tenant_id = %(tenant_id)s AND standing = 'current'), '{}')
"""
_REMEMBER_DELETED = """
INSERT INTO search_locations (tenant_id, generation, document_id, index, version, deleted)
SELECT l.tenant_id, %(number)s, l.document_id, %(index)s, l.version, true
FROM search_locations l JOIN search_generations g ON g.tenant_id = l.tenant_id AND g.generation = l.generation
WHERE l.tenant_id = %(tenant_id)s AND l.deleted AND g.standing = 'current'
"""
_STANDS = "SELECT generation, standing FROM search_generations WHERE tenant_id = %s FOR UPDATE"
_CHANGE = """
UPDATE search_generations SET standing = %(standing)s,
  kept_until = CASE WHEN %(standing)s = 'kept' THEN now() + make_interval(secs => %(kept_seconds)s) END
WHERE tenant_id = %(tenant_id)s AND generation = %(number)s
"""
_FORGET_PLACES = f"""
DELETE FROM search_locations WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM search_locations WHERE tenant_id = %(tenant_id)s AND generation = %(number)s LIMIT {ROWS_AT_ONCE}))
"""
_HAS_DOCUMENTS = """
SELECT 1 FROM search_locations
WHERE tenant_id = %(tenant_id)s AND generation = %(number)s AND index = %(index)s AND NOT deleted LIMIT 1
"""
# Whoever writes a newer version of a document that was deleted from it needs another place for it.
_MOVE_DELETED = """
UPDATE search_locations l SET index = g.indexes[cardinality(g.indexes)] FROM search_generations g
WHERE l.tenant_id = %(tenant_id)s AND l.generation = %(number)s AND l.index = %(index)s
  AND g.tenant_id = l.tenant_id AND g.generation = l.generation
"""
_CLOSE = """
UPDATE search_generations SET indexes = array_remove(indexes, %(index)s::text)
WHERE tenant_id = %(tenant_id)s AND generation = %(number)s AND standing = 'current'
  AND indexes[cardinality(indexes)] <> %(index)s
"""
# The newest stays, so that no later one is given its number.
_FORGET = """
DELETE FROM search_generations g WHERE tenant_id = %(tenant_id)s AND standing = 'dropped' AND generation <= %(number)s
  AND generation < (SELECT max(generation) FROM search_generations WHERE tenant_id = %(tenant_id)s)
"""


@asynccontextmanager
async def turn(
    database_url: str, tenant_id: UUID, *, wait_seconds: float = WAIT_SECONDS
) -> AsyncIterator["StoredTurn"]:
    session = {
        "lock_timeout": f"{int(wait_seconds * 1_000)}ms",
        "statement_timeout": f"{int((wait_seconds + STATEMENT_SECONDS) * 1_000)}ms",
    }
    # The lock belongs to this connection, and every change is made on it: a process that lost the lock changes nothing more.
    try:
        connection = await connect(database_url, Role.SYSTEM, "search turn", session)
    except LOST as error:
        raise Unavailable("PostgreSQL refused the connection 'search turn'") from error
    async with connection:
        try:
            with waiting():
                await connection.execute(_ALONE, (tenant_id,))
        except LockNotAvailable:
            raise Unavailable(
                f"the tenant's index has been rebuilt for {wait_seconds:g} s by another; this comes after it",
                retry_after_seconds=ASK_AGAIN_SECONDS,
            ) from None
        yield StoredTurn(connection, tenant_id)


class StoredTurn:
    """The port `Turn`, while its connection lives."""

    def __init__(self, connection: Connection, tenant_id: UUID) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def begin(self, number: int, index: str) -> None:
        named = {"tenant_id": self._tenant_id, "number": number, "index": index}
        async with self._changing():
            await self._connection.execute(_BEGIN, named)
            await self._connection.execute(_REMEMBER_DELETED, named)

    async def switch(self, changes: Sequence[Standings], *, kept_seconds: float) -> bool:
        async with self._changing():
            found = await (await self._connection.execute(_STANDS, (self._tenant_id,))).fetchall()
            standings = {number: Standing(standing) for number, standing in found}
            if any(standings.get(number, Standing.DROPPED) is Standing.DROPPED for number, _ in changes):
                return False
            # What stops answering goes first: there is never a second one that does.
            for number, standing in sorted(changes, key=lambda change: change.standing is Standing.CURRENT):
                await self._connection.execute(
                    _CHANGE,
                    {
                        "tenant_id": self._tenant_id,
                        "number": number,
                        "standing": standing.value,
                        "kept_seconds": kept_seconds,
                    },
                )
        return True

    async def close(self, number: int, index: str) -> bool:
        named = {"tenant_id": self._tenant_id, "number": number, "index": index}
        async with self._changing():
            if await (await self._connection.execute(_HAS_DOCUMENTS, named)).fetchone():
                return False
            if not (await self._connection.execute(_CLOSE, named)).rowcount:
                return False
            await self._connection.execute(_MOVE_DELETED, named)
        return True

    async def forget(self, number: int) -> None:
        named = {"tenant_id": self._tenant_id, "number": number}
        while (await self._execute(_FORGET_PLACES, named)) == ROWS_AT_ONCE:
            pass
        await self._execute(_FORGET, named)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        try:
            async with self._connection.transaction():
                await self._connection.execute(CHANGE_PLACES, (self._tenant_id,))
                yield
        except LOST as error:
            raise Unavailable("PostgreSQL ended the connection 'search turn'") from error

    async def _execute(self, statement: str, named: Any) -> int:
        try:
            return (await self._connection.execute(statement, named)).rowcount
        except LOST as error:
            raise Unavailable("PostgreSQL ended the connection 'search turn'") from error
