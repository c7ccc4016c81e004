"""Saved searches, sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from infrastructure.key_vault.cells import saved_search_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.session import Connection
from schemas.search import NamedSavedSearch, SavedSearch

_COLUMNS: Final = "name, cell, content, updated_at"
_ALL: Final = f"SELECT {_COLUMNS} FROM saved_searches WHERE tenant_id = %s ORDER BY name"
_ONE: Final = f"SELECT {_COLUMNS} FROM saved_searches WHERE tenant_id = %s AND name = %s"
# One request at a time of a tenant: two could both find room for the last one.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('saved searches ' || %s::text, 0))"
_CELLS: Final = "SELECT name, cell FROM saved_searches WHERE tenant_id = %s"
_SET: Final = """
INSERT INTO saved_searches AS s (tenant_id, name, cell, content)
VALUES (%(tenant_id)s, %(name)s, %(cell)s, %(content)b)
ON CONFLICT (tenant_id, name) DO UPDATE SET cell = excluded.cell, content = excluded.content,
  updated_at = greatest(now(), s.updated_at + interval '1 microsecond')
RETURNING updated_at
"""
_FORGET_MATCHES: Final = "DELETE FROM saved_search_matches WHERE tenant_id = %s AND name = %s"
_REMOVE: Final = "DELETE FROM saved_searches WHERE tenant_id = %s AND name = %s"


@dataclass(frozen=True, slots=True)
class SealedSearch:
    name: str
    cell: str
    content: Sealed
    updated_at: datetime


async def all_searches(connection: Connection, tenant_id: UUID) -> list[SealedSearch]:
    """By name."""
    return [_sealed(row) for row in await (await connection.execute(_ALL, (tenant_id,))).fetchall()]


async def one_search(connection: Connection, tenant_id: UUID, name: str) -> SealedSearch | None:
    row = await (await connection.execute(_ONE, (tenant_id, name))).fetchone()
    return None if row is None else _sealed(row)


async def opened(sealer: Sealer, tenant_id: UUID, sealed: SealedSearch) -> NamedSavedSearch:
    text = await sealer.open(saved_search_cell(tenant_id, sealed.cell), sealed.content)
    search = SavedSearch.model_validate_json(text)
    return NamedSavedSearch(name=sealed.name, updated_at=sealed.updated_at, **dict(search))


async def cells_locked(connection: Connection, tenant_id: UUID) -> dict[str, str]:
    """The cells of those that there are, by name. No other request changes any until the transaction ends."""
    await connection.execute(_LOCK, (str(tenant_id),))
    return dict(await (await connection.execute(_CELLS, (tenant_id,))).fetchall())


async def set_search(
    connection: Connection, tenant_id: UUID, name: str, cell: str, content: bytes, *, keep_matches: bool
) -> datetime:
    """Call it in a transaction. Without `keep_matches`, what matched the query before is forgotten."""
    new = {"tenant_id": tenant_id, "name": name, "cell": cell, "content": content}
    row = await (await connection.execute(_SET, new)).fetchone()
    assert row is not None, "the statement returns what it wrote"
    if not keep_matches:
        await connection.execute(_FORGET_MATCHES, (tenant_id, name))
    updated_at: datetime = row[0]
    return updated_at


async def remove_search(connection: Connection, tenant_id: UUID, name: str) -> bool:
    """False when there was none."""
    return (await connection.execute(_REMOVE, (tenant_id, name))).rowcount > 0


def _sealed(row: Sequence[Any]) -> SealedSearch:
    name, cell, content, updated_at = row
    return SealedSearch(name, cell, Sealed(content), updated_at)
