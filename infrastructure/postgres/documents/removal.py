"""Removes deleted documents' contents: first the rows say that there are none, then the objects go, then the rows.

Whoever takes over from a job that died begins at its first row that is left, and deletes those objects again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.usage import Amount

VERSIONS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Removed:
    """A deleted document's versions up to one."""

    tenant_id: UUID
    document_id: str
    up_to: int


@dataclass(frozen=True, slots=True)
class Emptied:
    """Versions whose rows have no contents any more."""

    last: int
    cells: Sequence[str]
    """Names of their objects, some of which were never there."""


_LOCK = """
SELECT version, coalesce(deleted_version, 0) FROM documents WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s
FOR UPDATE
"""
_NEXT = f"""
SELECT version, cell, text_cell FROM document_versions
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version > %(after)s AND version <= %(up_to)s
ORDER BY version LIMIT {VERSIONS_AT_ONCE}
"""
_AMONG = (
    """tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version > %(after)s AND version <= %(last)s"""
)
_FORGET_FACTS = f"""
WITH gone AS (DELETE FROM document_facts WHERE {_AMONG} RETURNING octet_length(facts) AS bytes)
SELECT coalesce(sum(bytes), 0)::bigint FROM gone
"""
# The bytes are read by the same statement that makes them none, under the document's lock: they are freed once.
_EMPTY = f"""
WITH full_ones AS (SELECT version, stored_bytes FROM document_versions WHERE {_AMONG}),
emptied AS (
  UPDATE document_versions SET stored_bytes = 0, digest = '', file_name = NULL, title = NULL, original_key = NULL,
    text = NULL, text_key = NULL, text_bytes = NULL, outline = NULL, problem = NULL
  WHERE {_AMONG})
SELECT coalesce(sum(stored_bytes), 0)::bigint FROM full_ones
"""
_FORGET_VERSIONS = f"DELETE FROM document_versions WHERE {_AMONG} AND version <> %(newest)s"
_FORGET_DESCRIPTION = """
UPDATE documents SET title = NULL, industry = NULL, language = NULL, tags = '{}', metadata = '{}'
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version <= %(up_to)s AND deleted_at IS NOT NULL
"""


async def empty(connection: Connection, removed: Removed, after: int) -> Emptied | None:
    """Empties the next versions after that one, and frees what they counted as stored, once. None after the last."""
    if (standing := await _lock(connection, removed)) is None:
        return None
    among = {**_named(removed), "after": after, "up_to": min(removed.up_to, standing.deleted)}
    versions = await (await connection.execute(_NEXT, among)).fetchall()
    if not versions:
        return None
    last = versions[-1][0]
    freed_bytes = 0
    for statement in (_FORGET_FACTS, _EMPTY):
        row = await (await connection.execute(statement, {**among, "last": last})).fetchone()
        freed_bytes += 0 if row is None else int(row[0])
    await usage.change(connection, removed.tenant_id, {Amount.STORED_BYTES: -freed_bytes})
    return Emptied(last, [cell for _, *cells in versions for cell in cells if cell is not None and _is_made(cell)])


async def forget(connection: Connection, removed: Removed, after: int, last: int) -> None:
    """Deletes the rows of versions whose objects are gone. The newest one's stays with the tombstone."""
    if (standing := await _lock(connection, removed)) is not None:
        among = {**_named(removed), "after": after, "last": last, "newest": standing.newest}
        await connection.execute(_FORGET_VERSIONS, among)


async def forget_description(connection: Connection, removed: Removed) -> bool:
    """Removes what was said about the document. False when it has a version that wasn't deleted, of which that is said."""
    standing = await _lock(connection, removed)
    await connection.execute(_FORGET_DESCRIPTION, _named(removed))
    return standing is None or standing.newest <= min(removed.up_to, standing.deleted)


async def _lock(connection: Connection, removed: Removed) -> "_Standing | None":
    row = await (await connection.execute(_LOCK, _named(removed))).fetchone()
    return None if row is None else _Standing(*row)


@dataclass(frozen=True, slots=True)
class _Standing:
    newest: int
    deleted: int


def _named(removed: Removed) -> dict[str, Any]:
    return {"tenant_id": removed.tenant_id, "document_id": removed.document_id, "up_to": removed.up_to}


def _is_made(cell: str) -> bool:
    """Whether the cell may name an object: those of documents that are older than versions are the documents' ids."""
    try:
        return str(UUID(cell)) == cell
    except ValueError:
        return False
