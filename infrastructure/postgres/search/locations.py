"""The locator in PostgreSQL: one statement looks up or adds hundreds of documents' places."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.ports.search_locations import Generation, Located, Place, Standing, Wanted
from infrastructure.postgres.search.turns import CHANGE_PLACES, LOOK_UP_PLACES, StoredTurn, turn
from infrastructure.postgres.session import Connection, PostgresSession, Role
from infrastructure.postgres.tenants.pool import TenantPool

ROWS_AT_ONCE: Final = 5_000

_COLUMNS = "generation, standing, indexes, languages, created_at, kept_until"
_GENERATIONS = f"SELECT {_COLUMNS} FROM search_generations WHERE tenant_id = %s ORDER BY generation"
_WRITTEN = (
    f"SELECT {_COLUMNS} FROM search_generations WHERE tenant_id = %s AND standing <> 'dropped' ORDER BY generation"
)
_ADD_LANGUAGES = """
UPDATE search_generations SET languages = ARRAY(SELECT DISTINCT unnest(languages || %(languages)s::text[]) ORDER BY 1)
WHERE tenant_id = %(tenant_id)s AND standing <> 'dropped' AND NOT languages @> %(languages)s::text[]
"""
# Of workers that add one document at the same time the first decides its index, and the others are told it. In the order of
# their ids, so that two never wait for each other.
_LOCATE = """
INSERT INTO search_locations AS l (tenant_id, generation, document_id, index, version, deleted)
SELECT %(tenant_id)s, g.generation, w.document_id, g.index, w.version, w.deleted
FROM unnest(%(generations)s::int[], %(indexes)s::text[]) AS g (generation, index),
  unnest(%(ids)s::text[], %(versions)s::bigint[], %(deleted)s::boolean[]) AS w (document_id, version, deleted)
ORDER BY g.generation, w.document_id COLLATE "C"
ON CONFLICT (tenant_id, generation, document_id) DO UPDATE SET version = excluded.version, deleted = excluded.deleted
WHERE (l.version, l.deleted) <= (excluded.version, excluded.deleted)
RETURNING document_id, generation, index
"""
_KNOWN = f"""
SELECT document_id, version FROM search_locations
WHERE tenant_id = %s AND generation = %s AND document_id > %s AND NOT deleted ORDER BY document_id LIMIT {ROWS_AT_ONCE}
"""
_IF_LAST = """
WHERE tenant_id = %(tenant_id)s AND generation = %(number)s AND standing <> 'dropped'
  AND indexes[cardinality(indexes)] = %(after)s
"""
_ADD_INDEX = f"""
UPDATE search_generations SET indexes = CASE WHEN %(index)s = ANY(indexes) THEN indexes
  ELSE indexes[:cardinality(indexes) - 1] || ARRAY[%(index)s::text, %(after)s::text] END {_IF_LAST}
"""
_ALLOCATE_TO = f"""
UPDATE search_generations SET indexes = array_remove(indexes, %(index)s::text) || %(index)s::text {_IF_LAST}
  AND %(index)s = ANY(indexes)
"""
_REMOVE_PLACES = f"""
DELETE FROM search_locations WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM search_locations WHERE tenant_id = %s LIMIT {ROWS_AT_ONCE}))
"""
_REMOVE = "DELETE FROM search_generations WHERE tenant_id = %s"
_TENANTS = "SELECT DISTINCT tenant_id FROM search_generations ORDER BY tenant_id"


class StoredLocations:
    """The port `Locations` in PostgreSQL."""

    def __init__(self, database_url: str, pool: TenantPool) -> None:
        self._database_url = database_url
        self._pool = pool
        self._system = PostgresSession(database_url, Role.SYSTEM, "search locations")

    async def generations(self, tenant_id: UUID) -> Sequence[Generation]:
        return await self._pool.run(tenant_id, partial(_generations, statement=_GENERATIONS, tenant_id=tenant_id))

    async def locate(
        self, tenant_id: UUID, wanted: Sequence[Wanted], languages: Sequence[str], *, only: int | None = None
    ) -> Located:
        return await self._pool.run(
            tenant_id, partial(_locate, tenant_id=tenant_id, wanted=wanted, languages=languages, only=only)
        )

    async def known(self, tenant_id: UUID, number: int) -> AsyncIterator[Sequence[tuple[str, int]]]:
        after = ""

        async def read(connection: Connection) -> list[tuple[str, int]]:
            return await (await connection.execute(_KNOWN, (tenant_id, number, after))).fetchall()

        while rows := await self._pool.run(tenant_id, read):
            yield rows
            after = rows[-1][0]

    async def add_index(self, tenant_id: UUID, number: int, index: str, *, after: str) -> bool:
        return await self._change_indexes(_ADD_INDEX, tenant_id, number, index, after)

    async def allocate_to(self, tenant_id: UUID, number: int, index: str, *, after: str) -> bool:
        return await self._change_indexes(_ALLOCATE_TO, tenant_id, number, index, after)

    async def _change_indexes(self, statement: str, tenant_id: UUID, number: int, index: str, after: str) -> bool:
        named = {"tenant_id": tenant_id, "number": number, "index": index, "after": after}

        async def change(connection: Connection) -> bool:
            await connection.execute(LOOK_UP_PLACES, (tenant_id,))
            return (await connection.execute(statement, named)).rowcount > 0

        return await self._pool.run(tenant_id, change)

    @asynccontextmanager
    async def turn(self, tenant_id: UUID) -> AsyncIterator[StoredTurn]:
        async with turn(self._database_url, tenant_id) as held:
            yield held

    async def remove(self, tenant_id: UUID) -> bool:
        async def remove(connection: Connection) -> bool:
            await connection.execute(CHANGE_PLACES, (tenant_id,))
            return (await connection.execute(_REMOVE, (tenant_id,))).rowcount > 0

        async def remove_places(connection: Connection) -> int:
            return (await connection.execute(_REMOVE_PLACES, (tenant_id,))).rowcount

        there = await self._pool.run(tenant_id, remove)
        while await self._pool.run(tenant_id, remove_places) == ROWS_AT_ONCE:
            pass
        return there

    async def tenants(self) -> Sequence[UUID]:
        async def read(connection: Connection) -> list[UUID]:
            return [tenant_id for (tenant_id,) in await (await connection.execute(_TENANTS)).fetchall()]

        return await self._system.run(read)

    async def now(self) -> datetime:
        async def read(connection: Connection) -> datetime:
            row = await (await connection.execute("SELECT now()")).fetchone()
            if row is None:
                raise Unavailable("PostgreSQL didn't say what time it is")
            now: datetime = row[0]
            return now

        return await self._system.run(read)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._system.close()


async def _locate(
    connection: Connection, tenant_id: UUID, wanted: Sequence[Wanted], languages: Sequence[str], only: int | None
) -> Located:
    # Whoever changes the generations waits for this lock, and this transaction's later statements see what they changed.
    await connection.execute(LOOK_UP_PLACES, (tenant_id,))
    written = await _generations(connection, statement=_WRITTEN, tenant_id=tenant_id)
    written = [one for one in written if only in (None, one.number)]
    if only is None and not any(one.standing is Standing.CURRENT for one in written):
        # What is only being built isn't enough: whoever builds it may die, and nobody could find what is only there.
        return Located((), (), language_added=False)
    named = {
        "tenant_id": tenant_id,
        "generations": [one.number for one in written],
        "indexes": [one.allocation for one in written],
        "ids": [one.document_id for one in wanted],
        "versions": [one.version for one in wanted],
        "deleted": [one.deleted for one in wanted],
        "languages": list(languages),
    }
    is_new = any(not set(languages) <= set(one.languages) for one in written)
    if is_new:
        await connection.execute(_ADD_LANGUAGES, named)
    rows = await (await connection.execute(_LOCATE, named)).fetchall()
    return Located(tuple(written), tuple(Place(*row) for row in rows), is_new)


async def _generations(connection: Connection, statement: str, tenant_id: UUID) -> list[Generation]:
    found = await (await connection.execute(statement, (tenant_id,))).fetchall()
    return [
        Generation(number, Standing(standing), tuple(indexes), tuple(languages), created_at, kept_until)
        for number, standing, indexes, languages, created_at, kept_until in found
    ]
