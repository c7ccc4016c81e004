"""The documents that search indexes are made of. Every transaction sees one tenant's rows only."""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import text_cell
from infrastructure.key_vault.sealed import DecryptionFailed, Sealed
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import Sealer
from infrastructure.ports.search import IndexedDocument, StoredDocument
from infrastructure.postgres.documents.contents import COLUMNS, Contents, StoredContent, content_of
from infrastructure.postgres.keys.active_key import hold_active_key
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.usage import Amount
from schemas.search import IndexDocument

logger = logging.getLogger(__name__)

MAX_ROWS: Final = 200
MAX_BYTES: Final = 8_000_000
MAX_KEY_CHANGES: Final = 5
PLAIN_TEXT: Final = "text/plain"

_STANDING = """
SELECT d.version, d.current_version, d.job_id, d.created_at, d.updated_at, d.deleted_at IS NOT NULL, coalesce(v.digest, ''),
  ROW(d.title, d.document_type, d.industry, d.language, d.tags)
    IS NOT DISTINCT FROM ROW(%(title)s::text, %(document_type)s::text, %(industry)s::text, %(language)s::text, %(tags)s::text[])
FROM documents d LEFT JOIN document_versions v
  ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.version
WHERE d.tenant_id = %(tenant_id)s AND d.document_id = %(document_id)s
"""
# Locks the document, whether it is there already or not.
_ADD_OR_LOCK = """
INSERT INTO documents AS d (tenant_id, document_id, version, title, document_type)
VALUES (%(tenant_id)s, %(document_id)s, 0, '', '')
ON CONFLICT (tenant_id, document_id) DO UPDATE SET version = d.version WHERE false
"""
_ADD_VERSION = """
INSERT INTO document_versions (tenant_id, document_id, version, cell, state, job_id, digest, size_bytes, stored_bytes,
  media_type, text, characters, language, imported_at)
VALUES (%(tenant_id)s, %(document_id)s, %(version)s, %(cell)s, 'ready', %(job_id)s, %(digest)s, %(size_bytes)s,
  %(stored_bytes)s, %(media_type)s, %(body)b, %(characters)s, %(language)s, now())
"""
_RESTATE = """
UPDATE documents SET version = %(version)s, current_version = %(version)s, indexed_version = %(version)s, job_id = %(job_id)s,
  title = %(title)s, document_type = %(document_type)s, industry = %(industry)s, language = %(language)s,
  tags = %(tags)s::text[], created_at = coalesce(%(created_at)s::timestamptz, created_at),
  updated_at = CASE WHEN version = %(version)s THEN updated_at ELSE greatest(now(), updated_at) END, deleted_at = NULL
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s RETURNING created_at, updated_at
"""

_ANY = "SELECT EXISTS (SELECT FROM documents WHERE tenant_id = %s AND indexed_version IS NOT NULL)"

_CONTENT = ", ".join(f"v.{name}" for name in COLUMNS)
_DESCRIBED = """coalesce(d.title, v.title, v.file_name, d.document_id), d.document_type, d.industry,
  coalesce(d.language, v.language), d.tags, d.created_at, d.updated_at, v.pages"""
_NEXT_ROWS = f"""
SELECT {_DESCRIBED}, {_CONTENT} FROM (
  SELECT few.*, row_number() OVER w AS row, sum(bytes) OVER w AS bytes_so_far FROM (
    SELECT d.document_id, v.version, coalesce(v.text_bytes, octet_length(v.text)) AS bytes FROM documents d
      JOIN document_versions v
        ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.indexed_version
    WHERE d.tenant_id = %(tenant_id)s AND d.document_id > %(after)s AND d.indexed_version IS NOT NULL
    ORDER BY d.document_id LIMIT {MAX_ROWS}) AS few
  WINDOW w AS (ORDER BY document_id)) AS measured
JOIN documents d ON d.tenant_id = %(tenant_id)s AND d.document_id = measured.document_id
JOIN document_versions v
  ON v.tenant_id = d.tenant_id AND v.document_id = measured.document_id AND v.version = measured.version
WHERE row = 1 OR bytes_so_far <= {MAX_BYTES} ORDER BY measured.document_id
"""


@dataclass(frozen=True, slots=True)
class SentText:
    """A text that an indexing job brought along, sealed for a version of its own."""

    job_id: UUID
    document: IndexDocument = field(repr=False)
    cell: str
    text: Sealed


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """A version that an index has, as it is stored."""

    title: str = field(repr=False)
    document_type: str
    industry: str | None
    language: str | None
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    pages: int | None
    content: StoredContent


class IndexedDocuments:
    """The port `Documents` of indexing, in PostgreSQL and the object store."""

    def __init__(self, pool: TenantPool, sealer: Sealer, objects: SealedObjects) -> None:
        self._pool = pool
        self._sealer = sealer
        self._contents = Contents(sealer, objects)

    async def store(self, tenant_id: UUID, job_id: UUID, document: IndexDocument) -> StoredDocument:
        assert document.text is not None, "it came with its text"
        cell = str(uuid7())
        for _ in range(MAX_KEY_CHANGES):
            text = await self._sealer.seal(text_cell(tenant_id, cell), document.text)
            sent = SentText(job_id, document, cell, text)
            stored = await self._pool.run(tenant_id, partial(_store, tenant_id=tenant_id, sent=sent))
            if stored is not None:
                return stored
            self._sealer.forget_active(tenant_id)
        raise Unavailable("the tenant's keys change faster than a document can be stored; it is tried again")

    async def all_of(self, tenant_id: UUID) -> AsyncIterator[Sequence[IndexedDocument]]:
        after = ""
        while rows := await self._pool.run(tenant_id, partial(_next_rows, tenant_id=tenant_id, after=after)):
            opened = [await self._opened_unless_damaged(tenant_id, row) for row in rows]
            yield [document for document in opened if document is not None]
            after = rows[-1].content.document_id

    async def _opened_unless_damaged(self, tenant_id: UUID, row: IndexedRow) -> IndexedDocument | None:
        try:
            return await self._opened(tenant_id, row)
        except DecryptionFailed:
            # One damaged row mustn't keep the others out of the index.
            logger.error("could not open a document's text; left it out of the index: tenant %s", tenant_id)
            return None

    async def _opened(self, tenant_id: UUID, row: IndexedRow) -> IndexedDocument | None:
        text = await self._contents.text(tenant_id, row.content)
        if text is None:
            return None
        return IndexedDocument(
            document_id=row.content.document_id,
            version=row.content.version,
            title=row.title,
            text=text,
            document_type=row.document_type,
            industry=row.industry,
            language=row.language,
            tags=row.tags,
            created_at=row.created_at,
            updated_at=row.updated_at,
            media_type=row.content.media_type,
            pages=row.pages,
        )


async def holds_documents(pool: TenantPool, tenant_id: UUID) -> bool:
    """Whether an index of the tenant must have any document."""

    async def ask(connection: Connection) -> bool:
        row = await (await connection.execute(_ANY, (tenant_id,))).fetchone()
        return row is not None and bool(row[0])

    return await pool.run(tenant_id, ask)


async def _store(connection: Connection, tenant_id: UUID, sent: SentText) -> StoredDocument | None:
    """None when the text's key isn't the active one any more. Raises QuotaExceeded."""
    if not await hold_active_key(connection, tenant_id, [sent.text.ciphertext]):
        return None
    named = _named(tenant_id, sent)
    await connection.execute(_ADD_OR_LOCK, named)
    standing = await (await connection.execute(_STANDING, named)).fetchone()
    assert standing is not None, "its row is locked"
    version, current, job_id, created_at, updated_at, is_deleted, digest, same_fields = standing
    # Job ids are in the order of submission.
    if job_id is not None and job_id >= sent.job_id:
        return StoredDocument(version, created_at, updated_at, superseded=job_id != sent.job_id)
    is_same = same_fields and not is_deleted and version == current and digest == named["digest"]
    if not is_same:
        version += 1
        await connection.execute(_ADD_VERSION, {**named, "version": version})
    restated = await (await connection.execute(_RESTATE, {**named, "version": version})).fetchone()
    assert restated is not None, "its row is locked"
    if not is_same:
        another = int(version == 1 or is_deleted)
        await usage.change(
            connection, tenant_id, {Amount.DOCUMENTS: another, Amount.STORED_BYTES: named["stored_bytes"]}
        )
    created_at, updated_at = restated
    return StoredDocument(version, created_at, updated_at, superseded=False)


def _named(tenant_id: UUID, sent: SentText) -> dict[str, Any]:
    document, text = sent.document, sent.document.text or ""
    content = text.encode()
    return {
        **document.model_dump(exclude={"text", "tags", "document"}),
        "tags": list(document.tags),
        "tenant_id": tenant_id,
        "job_id": sent.job_id,
        "cell": sent.cell,
        "digest": sha256(content).digest(),
        "size_bytes": len(content),
        "stored_bytes": len(sent.text.ciphertext),
        "media_type": PLAIN_TEXT,
        "body": sent.text.ciphertext,
        "characters": len(text),
    }


async def _next_rows(connection: Connection, tenant_id: UUID, after: str) -> list[IndexedRow]:
    found = await connection.execute(_NEXT_ROWS, {"tenant_id": tenant_id, "after": after}, binary=True)
    return [_row(row) for row in await found.fetchall()]


def _row(row: tuple[Any, ...]) -> IndexedRow:
    title, document_type, industry, language, tags, created_at, updated_at, pages, *content = row
    described = (title, document_type, industry, language, tuple(tags), created_at, updated_at, pages)
    return IndexedRow(*described, content_of(tuple(content)))
