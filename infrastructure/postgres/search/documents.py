"""The tenants' documents, with sealed bodies. Every transaction sees one tenant's rows only."""

import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from infrastructure.key_vault.sealed import Cell, DecryptionFailed, Sealed
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import Sealer
from infrastructure.ports.search import IndexedDocument, StoredDocument
from infrastructure.postgres.keys.wrapped_keys import HOLD_KEYS
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.search import IndexDocument

logger = logging.getLogger(__name__)

TABLE = "documents"
BODY = "body"
MAX_ROWS = 200
MAX_BYTES = 8_000_000
MAX_KEY_CHANGES = 5

# Only under the active key: a body sealed with a key that was just replaced is refused and sealed again. Only for the
# newest job: job ids are in the order of submission.
_STORE = """
WITH k AS (
  SELECT FROM tenant_keys WHERE tenant_id = %(tenant)s AND state = 'active'
    AND int8send(id) = substring(%(body)b::bytea FROM 5 FOR 8)),
w AS (
  INSERT INTO documents AS d
    (tenant_id, document_id, job_id, title, body, document_type, industry, language, tags, created_at)
  SELECT %(tenant)s, %(document_id)s, %(job)s, %(title)s, %(body)b, %(document_type)s, %(industry)s, %(language)s,
    %(tags)s::text[], coalesce(%(created_at)s::timestamptz, now()) FROM k
  ON CONFLICT (tenant_id, document_id) DO UPDATE SET version = d.version + 1, job_id = excluded.job_id,
    title = excluded.title, body = excluded.body, document_type = excluded.document_type, industry = excluded.industry,
    language = excluded.language, tags = excluded.tags,
    created_at = coalesce(%(created_at)s::timestamptz, d.created_at), updated_at = now()
  WHERE d.job_id < excluded.job_id
  RETURNING version, created_at)
SELECT EXISTS (SELECT FROM k), (SELECT version FROM w), (SELECT created_at FROM w)
"""
_STANDING = "SELECT version, created_at, job_id FROM documents WHERE tenant_id = %s AND document_id = %s"

_ANY = "SELECT EXISTS (SELECT FROM documents WHERE tenant_id = %s)"

_NEXT_ROWS = f"""
SELECT document_id, version, title, body, document_type, industry, language, tags, created_at FROM (
  SELECT *, row_number() OVER w AS row, sum(octet_length(body)) OVER w AS bytes
  FROM (SELECT * FROM documents WHERE tenant_id = %s AND document_id > %s ORDER BY document_id LIMIT {MAX_ROWS}) AS few
  WINDOW w AS (ORDER BY document_id)) AS measured
WHERE row = 1 OR bytes <= {MAX_BYTES} ORDER BY document_id
"""


class StoredDocuments:
    """Documents in PostgreSQL."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def store(self, tenant_id: UUID, job_id: UUID, document: IndexDocument) -> StoredDocument:
        cell = _body_of(tenant_id, document.document_id)
        for _ in range(MAX_KEY_CHANGES):
            sealed = await self._sealer.seal(cell, document.text)
            row = {
                **document.model_dump(exclude={"text", "tags"}),
                "tags": list(document.tags),
                "body": sealed.ciphertext,
                "tenant": tenant_id,
                "job": job_id,
            }
            stored = await self._pool.run(tenant_id, partial(_store, row=row))
            if stored is not None:
                return stored
            self._sealer.forget_active(tenant_id)
        raise Unavailable("the tenant's keys change faster than a document can be stored; it is tried again")

    async def all_of(self, tenant_id: UUID) -> AsyncIterator[Sequence[IndexedDocument]]:
        cursor = ""
        while rows := await self._pool.run(tenant_id, partial(_next_rows, tenant_id=tenant_id, cursor=cursor)):
            opened = [await self._opened(tenant_id, row) for row in rows]
            yield [document for document in opened if document is not None]
            cursor = rows[-1][0]

    async def _opened(self, tenant_id: UUID, row: tuple[Any, ...]) -> IndexedDocument | None:
        document_id, version, title, body, document_type, industry, language, tags, created_at = row
        try:
            text = await self._sealer.open(_body_of(tenant_id, document_id), Sealed(body))
        except DecryptionFailed:
            # One damaged row mustn't keep the others out of the index.
            logger.error("could not open a document's body; left it out of the index: tenant %s", tenant_id)
            return None
        return IndexedDocument(
            document_id, version, title, text, document_type, industry, language, tuple(tags), created_at
        )


async def holds_documents(pool: TenantPool, tenant_id: UUID) -> bool:
    """Whether the tenant has any document."""

    async def ask(connection: Connection) -> bool:
        row = await (await connection.execute(_ANY, (tenant_id,))).fetchone()
        return row is not None and bool(row[0])

    return await pool.run(tenant_id, ask)


async def _store(connection: Connection, row: dict[str, Any]) -> StoredDocument | None:
    """None when the body's key isn't the active one any more."""
    await connection.execute(HOLD_KEYS, (row["tenant"],))
    key_is_active, version, created_at = await _only(await connection.execute(_STORE, row))
    if not key_is_active:
        return None
    if version is not None:
        return StoredDocument(version, created_at, superseded=False)
    standing = await connection.execute(_STANDING, (row["tenant"], row["document_id"]))
    version, created_at, job_id = await _only(standing)
    return StoredDocument(version, created_at, superseded=job_id != row["job"])


async def _only(found: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await found.fetchone()
    if row is None:
        raise AssertionError("the statement answers with a row")
    return row


async def _next_rows(connection: Connection, tenant_id: UUID, cursor: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(_NEXT_ROWS, (tenant_id, cursor), binary=True)).fetchall()


def _body_of(tenant_id: UUID, document_id: str) -> Cell:
    return Cell(tenant_id, TABLE, BODY, document_id)
