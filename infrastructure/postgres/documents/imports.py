"""Stores what an import read of a version, or why it read nothing."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import outline_cell, text_cell, text_key_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.object_store.places import document_place
from infrastructure.object_store.sealed import SealedObjects, WrittenObject
from infrastructure.ports.extraction import Extracted
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.documents.contents import StoredContent
from infrastructure.postgres.keys.active_key import hold_active_key
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.usage import Amount
from schemas.documents import DocumentRef
from schemas.problems import Problem

MAX_ROW_TEXT_BYTES = 256 * 1024
"""A longer text is an object."""
MAX_HEADINGS = 5_000
MAX_TITLE_CHARACTERS = 500
UNDETERMINED = "und"


@dataclass(frozen=True, slots=True)
class LongText:
    """A text's object."""

    cell: str
    written: WrittenObject = field(repr=False)

    def place(self, tenant_id: UUID) -> str:
        return document_place(tenant_id, self.cell)


@dataclass(frozen=True, slots=True)
class ImportedText:
    """What was extracted, sealed. A version that came as text keeps that: it has neither a text nor a key here."""

    text: Sealed | None
    text_key: Sealed | None
    outline: Sealed | None
    long: LongText | None

    @property
    def seals(self) -> list[bytes]:
        return [one.ciphertext for one in (self.text, self.text_key, self.outline) if one is not None]

    @property
    def stored_bytes(self) -> int:
        return sum(map(len, self.seals)) + (0 if self.long is None else self.long.written.stored_bytes)


@dataclass(frozen=True, slots=True)
class Stored:
    """The text is the version's from now on."""


@dataclass(frozen=True, slots=True)
class NotStored:
    """The version has its text already, was deleted, or is gone."""


@dataclass(frozen=True, slots=True)
class StaleKey:
    """The tenant's key was changed in between: seal again."""


_LOCK = """
SELECT coalesce(deleted_version, 0) FROM documents WHERE tenant_id = %s AND document_id = %s FOR UPDATE
"""
_STORE = """
UPDATE document_versions SET state = 'ready', problem = NULL, imported_at = now(), text = coalesce(%(text)s, text),
  text_cell = %(text_cell)s, text_key = %(text_key)s, text_bytes = %(text_bytes)s, outline = %(outline)s,
  stored_bytes = stored_bytes + %(stored_bytes)s, title = %(title)s, media_type = %(media_type)s,
  characters = %(characters)s, words = %(words)s, pages = %(pages)s, language = %(language)s, encoding = %(encoding)s
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version = %(version)s AND state <> 'ready'
"""
_MAKE_CURRENT = """
UPDATE documents SET current_version = %(version)s
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND coalesce(current_version, 0) < %(version)s
"""
_FAIL = """
UPDATE document_versions v SET state = 'failed', problem = %(problem)s FROM documents d
WHERE d.tenant_id = v.tenant_id AND d.document_id = v.document_id AND coalesce(d.deleted_version, 0) < v.version
  AND v.tenant_id = %(tenant_id)s AND v.document_id = %(document_id)s AND v.version = %(version)s AND v.state <> 'ready'
"""


async def write_long(objects: SealedObjects, tenant_id: UUID, content: StoredContent, text: str) -> LongText | None:
    """Writes the text's object; None for a text that its row holds."""
    if content.is_text:
        return None
    encoded = text.encode()
    if len(encoded) <= MAX_ROW_TEXT_BYTES:
        return None
    cell = str(uuid7())
    written = await objects.write(document_place(tenant_id, cell), _pieces(encoded), max_bytes=len(encoded))
    return LongText(cell, written)


async def seal(
    sealer: Sealer, tenant_id: UUID, content: StoredContent, extracted: Extracted, long: LongText | None
) -> ImportedText:
    text, text_key = None, None
    if long is not None:
        text_key = await sealer.seal(text_key_cell(tenant_id, content.cell), long.written.key)
    elif not content.is_text:
        text = await sealer.seal(text_cell(tenant_id, content.cell), extracted.text)
    outline = _outline(content, extracted)
    sealed = None if outline is None else await sealer.seal(outline_cell(tenant_id, content.cell), outline)
    return ImportedText(text, text_key, sealed, long)


async def store(
    connection: Connection, tenant_id: UUID, content: StoredContent, extracted: Extracted, imported: ImportedText
) -> Stored | NotStored | StaleKey:
    """Stores the text, and makes the version current unless a newer one is. Raises QuotaExceeded."""
    if not await hold_active_key(connection, tenant_id, imported.seals):
        return StaleKey()
    found = await connection.execute(_LOCK, (tenant_id, content.document_id))
    row = await found.fetchone()
    if row is None or content.version <= row[0]:
        return NotStored()
    named = {"tenant_id": tenant_id, "document_id": content.document_id, "version": content.version}
    if not (await connection.execute(_STORE, {**named, **_columns(extracted, imported)})).rowcount:
        return NotStored()
    await connection.execute(_MAKE_CURRENT, named)
    await usage.change(connection, tenant_id, {Amount.STORED_BYTES: imported.stored_bytes})
    return Stored()


async def fail(connection: Connection, tenant_id: UUID, ref: DocumentRef, problem: Problem) -> None:
    """Says why the version has no text. One that has its text keeps it."""
    named = {"tenant_id": tenant_id, "document_id": ref.id, "version": ref.version}
    await connection.execute(_FAIL, {**named, "problem": Jsonb(problem.bounded().model_dump(mode="json"))})


def _columns(extracted: Extracted, imported: ImportedText) -> dict[str, Any]:
    def ciphertext(sealed: Sealed | None) -> bytes | None:
        return None if sealed is None else sealed.ciphertext

    long = imported.long
    return {
        "text": ciphertext(imported.text),
        "text_cell": None if long is None else long.cell,
        "text_key": ciphertext(imported.text_key),
        "text_bytes": None if long is None else long.written.size_bytes,
        "outline": ciphertext(imported.outline),
        "stored_bytes": imported.stored_bytes,
        "title": _title(extracted.title),
        "media_type": extracted.media_type,
        "characters": extracted.characters,
        "words": extracted.words,
        "pages": extracted.pages or None,
        "language": None if extracted.language.code == UNDETERMINED else extracted.language.code,
        "encoding": extracted.encoding,
    }


def _title(title: str | None) -> str | None:
    """On one line, and as long as an author may make one."""
    words = " ".join((title or "").replace("\x00", " ").split())
    return words[:MAX_TITLE_CHARACTERS] or None


def _outline(content: StoredContent, extracted: Extracted) -> str | None:
    if not (extracted.headings or extracted.page_offsets or extracted.attachments):
        return None
    if content.is_text and sha256(extracted.text.encode()).digest() != content.digest:
        return None  # Its text stays as it came, in which these places may be others.
    return json.dumps(
        {
            "headings": [
                {"title": one.title, "level": one.level, "offset": one.offset}
                for one in extracted.headings[:MAX_HEADINGS]
            ],
            "page_offsets": extracted.page_offsets,
            "blank_pages": extracted.blank_pages,
            "attachments": [{"name": one.name, "media_type": one.media_type} for one in extracted.attachments],
        }
    )


async def _pieces(encoded: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(encoded), size):
        yield encoded[start : start + size]
