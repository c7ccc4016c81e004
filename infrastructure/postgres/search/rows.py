"""The rows of documents that an index has: what is said about them, and where their texts are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from infrastructure.postgres.documents.contents import COLUMNS, StoredContent, content_of
from infrastructure.postgres.session import Connection

MAX_ROWS: Final = 500
MAX_BYTES: Final = 8_000_000

_CONTENT: Final = ", ".join(f"v.{name}" for name in COLUMNS)
TITLE: Final = "coalesce(d.title, v.title, v.file_name, d.document_id)"
_DESCRIBED: Final = f"""{TITLE}, d.document_type, d.industry,
  coalesce(d.language, v.language), d.tags, d.created_at, d.updated_at, v.media_type, v.pages, d.index_removals"""
INDEXED: Final = """documents d JOIN document_versions v
  ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.indexed_version"""

_NEXT_ROWS: Final = """
SELECT {described}, {content} FROM (
  SELECT few.*, row_number() OVER w AS row, sum(bytes) OVER w AS bytes_so_far FROM (
    SELECT d.document_id, v.version, coalesce(v.text_bytes, octet_length(v.text)) AS bytes FROM {indexed}
    WHERE d.tenant_id = %(tenant_id)s AND d.document_id > %(after)s AND d.indexed_version IS NOT NULL {among}
    ORDER BY d.document_id LIMIT {max_rows}) AS few
  WINDOW w AS (ORDER BY document_id)) AS measured
JOIN documents d ON d.tenant_id = %(tenant_id)s AND d.document_id = measured.document_id
JOIN document_versions v
  ON v.tenant_id = d.tenant_id AND v.document_id = measured.document_id AND v.version = measured.version
WHERE row = 1 OR bytes_so_far <= {max_bytes} ORDER BY measured.document_id
"""
_PARTS: Final[dict[str, Any]] = {
    "described": _DESCRIBED,
    "content": _CONTENT,
    "indexed": INDEXED,
    "max_rows": MAX_ROWS,
    "max_bytes": MAX_BYTES,
}
_NEXT_OF_ALL: Final = _NEXT_ROWS.format(**_PARTS, among="")
_NEXT_OF_THESE: Final = _NEXT_ROWS.format(**_PARTS, among="AND d.document_id = ANY(%(ids)s)")

_STANDING: Final = f"""
SELECT d.document_id, d.indexed_version, {_DESCRIBED} FROM {INDEXED}
WHERE d.tenant_id = %(tenant_id)s AND d.document_id = ANY(%(ids)s) AND d.indexed_version IS NOT NULL
"""
_HAS_SAVED: Final = "SELECT EXISTS (SELECT FROM saved_searches WHERE tenant_id = %s)"
_ANY: Final = "SELECT EXISTS (SELECT FROM documents WHERE tenant_id = %s AND indexed_version IS NOT NULL)"
_COUNT: Final = "SELECT count(*) FROM documents WHERE tenant_id = %s AND indexed_version IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Described:
    """What an index has of a document beside its text. The names are those of `IndexedDocument`."""

    title: str = field(repr=False)
    document_type: str
    industry: str | None
    language: str | None
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    media_type: str
    pages: int | None
    removals: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> "Described":
        title, document_type, industry, language, tags, *rest = row
        return cls(title, document_type, industry, language, tuple(tags), *rest)


_WIDTH: Final = len(Described.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """A version that an index is to have, as it is stored."""

    described: Described
    content: StoredContent


async def next_rows(
    connection: Connection, tenant_id: UUID, after: str, document_ids: Sequence[str] | None
) -> list[IndexedRow]:
    """Those after that id, bounded in number and bytes; of these documents only, if any are named."""
    named: dict[str, Any] = {"tenant_id": tenant_id, "after": after}
    if document_ids is None:
        found = await connection.execute(_NEXT_OF_ALL, named, binary=True)
    else:
        found = await connection.execute(_NEXT_OF_THESE, {**named, "ids": list(document_ids)}, binary=True)
    return [IndexedRow(Described.of(row[:_WIDTH]), content_of(tuple(row[_WIDTH:]))) for row in await found.fetchall()]


async def standing(
    connection: Connection, tenant_id: UUID, document_ids: Sequence[str]
) -> tuple[dict[str, tuple[int, Described]], bool]:
    """The version that an index is to have of each, and what is said about it now; and whether there are saved searches."""
    found = await connection.execute(_STANDING, {"tenant_id": tenant_id, "ids": list(document_ids)})
    versions = {row[0]: (int(row[1]), Described.of(row[2:])) for row in await found.fetchall()}
    return versions, bool(await _one(connection, _HAS_SAVED, tenant_id))


async def any_indexed(connection: Connection, tenant_id: UUID) -> bool:
    return bool(await _one(connection, _ANY, tenant_id))


async def count_indexed(connection: Connection, tenant_id: UUID) -> int:
    return int(await _one(connection, _COUNT, tenant_id))


async def _one(connection: Connection, statement: str, tenant_id: UUID) -> Any:
    row = await (await connection.execute(statement, (tenant_id,))).fetchone()
    assert row is not None, "it answers one row"
    return row[0]
