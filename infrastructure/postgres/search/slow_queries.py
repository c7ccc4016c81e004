"""The tenants' newest slow searches: their shapes to read, and the searches themselves, sealed, to be replayed."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.key_vault.cells import slow_query_cell
from infrastructure.key_vault.sealed import DecryptionFailed, Sealed
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import Sealer
from infrastructure.ports.searching import SlowSearch
from infrastructure.postgres.keys.sealing import write_sealed
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.search import SearchQuery, SlowQuery

logger = logging.getLogger(__name__)

KEPT: Final = 200
"""Of each tenant."""
MAX_QUERY_BYTES: Final = 20_000
MAX_UNDER_WAY: Final = 16
"""What comes while so many are being stored is left out: a flood of slow searches says the same again and again."""
NEWEST: Final = UUID(int=2**128 - 1)

_ADD = "INSERT INTO search_slow_queries (tenant_id, cell, found, query) VALUES (%s, %s, %s, %b)"
_TRIM = f"""
DELETE FROM search_slow_queries WHERE tenant_id = %(tenant_id)s AND cell <= (
  SELECT cell FROM search_slow_queries WHERE tenant_id = %(tenant_id)s ORDER BY cell DESC OFFSET {KEPT} LIMIT 1)
"""
_LIST = """
SELECT cell, at, found, query IS NOT NULL FROM search_slow_queries WHERE tenant_id = %s AND cell < %s
ORDER BY cell DESC LIMIT %s
"""
_QUERY = "SELECT query FROM search_slow_queries WHERE tenant_id = %s AND cell = %s"


class StoredSlowQueries:
    """The port `SlowSearches`. What was handed over is stored when the block ends."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer
        self._under_way = WatchedTasks()

    def keep(self, tenant_id: UUID, slow: SlowSearch) -> None:
        if len(self._under_way) < MAX_UNDER_WAY:
            self._under_way.start(self._store(tenant_id, slow), name="a slow search")

    async def _store(self, tenant_id: UUID, slow: SlowSearch) -> None:
        cell, query = str(uuid7()), slow.query.model_dump_json()
        found = Jsonb(
            {
                "took_seconds": round(slow.took_seconds, 4),
                "hits": slow.hits,
                "shape": slow.shape.model_dump(mode="json"),
            }
        )
        write = partial(_add, tenant_id=tenant_id, cell=cell, found=found)
        try:
            if len(query) > MAX_QUERY_BYTES:
                await self._pool.run(tenant_id, partial(write, sealed=None))
            else:
                await write_sealed(self._pool, self._sealer, slow_query_cell(tenant_id, cell), query, write)
        except Unavailable as error:
            logger.warning("a slow search wasn't kept: %s", error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._under_way.finish()


async def slow_queries(connection: Connection, tenant_id: UUID, *, before: UUID, limit: int) -> Sequence[SlowQuery]:
    """Up to `limit`, the newest first, all older than that of the id `before`."""
    rows = await (await connection.execute(_LIST, (tenant_id, str(before), limit))).fetchall()
    return [_slow_query(row) for row in rows]


async def slow_query(connection: Connection, tenant_id: UUID, query_id: UUID) -> Sealed | None:
    """The search itself. None when it isn't kept, or no longer."""
    row = await (await connection.execute(_QUERY, (tenant_id, str(query_id)))).fetchone()
    return None if row is None or row[0] is None else Sealed(row[0])


async def opened_query(sealer: Sealer, tenant_id: UUID, query_id: UUID, sealed: Sealed) -> SearchQuery | None:
    """None when it can't be opened, or an older release kept it in a form that isn't a search any more."""
    try:
        return SearchQuery.model_validate_json(await sealer.open(slow_query_cell(tenant_id, str(query_id)), sealed))
    except (DecryptionFailed, ValueError):
        return None


async def _add(connection: Connection, sealed: bytes | None, *, tenant_id: UUID, cell: str, found: Jsonb) -> None:
    await connection.execute(_ADD, (tenant_id, cell, found, sealed))
    await connection.execute(_TRIM, {"tenant_id": tenant_id})


def _slow_query(row: tuple[str, datetime, dict[str, Any], bool]) -> SlowQuery:
    cell, at, found, replayable = row
    return SlowQuery(id=UUID(cell), at=at, replayable=replayable, **found)
