"""Stores documents that indexing jobs bring along, however many with the same few statements."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from infrastructure.key_vault.sealed import Sealed
from infrastructure.ports.search import StoredDocument
from infrastructure.postgres.keys.active_key import hold_active_key
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.usage import Amount
from schemas.search import SentDocument

PLAIN_TEXT: Final = "text/plain"

# Locks the documents, whether they are there already or not, in the order of their ids: two jobs can't wait for each other.
_ADD_OR_LOCK = """
INSERT INTO documents AS d (tenant_id, document_id, version, title, document_type)
SELECT %(tenant_id)s, id, 0, '', '' FROM unnest(%(ids)s::text[]) AS s (id) ORDER BY id
ON CONFLICT (tenant_id, document_id) DO UPDATE SET version = d.version WHERE false
"""
_SENT = """json_to_recordset(%(sent)s::json) AS s (number int, document_id text, version bigint, title text,
  document_type text, industry text, language text, tags text[], created_at timestamptz, cell text, size_bytes bigint,
  stored_bytes bigint, characters bigint)"""
_STANDING = f"""
SELECT d.version, d.current_version, d.job_id, d.unindexed_by, d.created_at, d.updated_at, d.deleted_at IS NOT NULL,
  d.index_removals, coalesce(v.digest, ''),
  ROW(d.title, d.document_type, d.industry, d.language, d.tags)
    IS NOT DISTINCT FROM ROW(s.title, s.document_type, s.industry, s.language, s.tags)
FROM {_SENT} JOIN documents d ON d.tenant_id = %(tenant_id)s AND d.document_id = s.document_id
LEFT JOIN document_versions v
  ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.version
ORDER BY s.number
"""
_ADD_VERSIONS = f"""
INSERT INTO document_versions (tenant_id, document_id, version, cell, state, job_id, digest, size_bytes, stored_bytes,
  media_type, text, characters, language, imported_at)
SELECT %(tenant_id)s, s.document_id, s.version, s.cell, 'ready', %(job_id)s, b.digest, s.size_bytes, s.stored_bytes,
  '{PLAIN_TEXT}', b.body, s.characters, s.language, now()
FROM {_SENT} JOIN unnest(%(numbers)s::int[], %(digests)b::bytea[], %(bodies)b::bytea[]) AS b (number, digest, body)
  ON b.number = s.number
"""
_RESTATE = f"""
UPDATE documents d SET version = s.version, current_version = s.version, indexed_version = s.version, job_id = %(job_id)s,
  title = s.title, document_type = s.document_type, industry = s.industry, language = s.language, tags = s.tags,
  created_at = coalesce(s.created_at, d.created_at),
  updated_at = CASE WHEN d.version = s.version THEN d.updated_at ELSE greatest(now(), d.updated_at) END, deleted_at = NULL
FROM {_SENT} WHERE d.tenant_id = %(tenant_id)s AND d.document_id = s.document_id
RETURNING s.number, d.created_at, d.updated_at
"""


@dataclass(frozen=True, slots=True)
class SealedText:
    """A document that a job brought along, its text sealed for a version of its own."""

    document: SentDocument = field(repr=False)
    cell: str
    text: Sealed

    @property
    def digest(self) -> bytes:
        return sha256(self.document.text.encode()).digest()


@dataclass(frozen=True, slots=True)
class _Standing:
    """A document as it is before the job's content is stored."""

    version: int
    current_version: int | None
    job_id: UUID | None
    unindexed_by: UUID | None
    created_at: datetime
    updated_at: datetime
    is_deleted: bool
    removals: int
    digest: bytes
    same_fields: bool

    def outdates(self, job_id: UUID) -> bool:
        """Whether a newer job's word on the document stands. Job ids are in the order of submission."""
        return any(other is not None and other > job_id for other in (self.job_id, self.unindexed_by))

    def has(self, sent: SealedText) -> bool:
        """Whether the job's content is that of the version that stands already."""
        return (
            self.same_fields
            and not self.is_deleted
            and self.version == self.current_version
            and self.digest == sent.digest
        )

    def as_stored(self, *, superseded: bool) -> StoredDocument:
        return StoredDocument(self.version, self.created_at, self.updated_at, superseded, self.removals)


async def store(
    connection: Connection, tenant_id: UUID, job_id: UUID, sent: Sequence[SealedText]
) -> list[StoredDocument] | None:
    """What became of each; their ids are distinct. None when the key of a text isn't the active one any more. Raises
    QuotaExceeded: then none is stored."""
    if not await hold_active_key(connection, tenant_id, [one.text.ciphertext for one in sent]):
        return None
    named: dict[str, Any] = {"tenant_id": tenant_id, "job_id": job_id}
    await connection.execute(_ADD_OR_LOCK, {**named, "ids": [one.document.document_id for one in sent]})
    rows = await connection.execute(_STANDING, {**named, "sent": _as_json(sent)})
    standing = [_Standing(*row) for row in await rows.fetchall()]
    outcomes = {
        number: one.as_stored(superseded=one.job_id != job_id)
        for number, one in enumerate(standing)
        if one.outdates(job_id) or one.job_id == job_id
    }
    new = {number: one for number, one in enumerate(standing) if number not in outcomes}
    if new:
        outcomes |= await _write(connection, named, sent, new)
    return [outcomes[number] for number in range(len(sent))]


async def _write(
    connection: Connection, named: Mapping[str, Any], sent: Sequence[SealedText], new: Mapping[int, _Standing]
) -> dict[int, StoredDocument]:
    changed = [number for number, one in new.items() if not one.has(sent[number])]
    versions = {number: one.version + (number in changed) for number, one in new.items()}
    await connection.execute(
        _ADD_VERSIONS,
        {
            **named,
            "sent": _as_json(sent, {number: versions[number] for number in changed}),
            "numbers": changed,
            "digests": [sent[number].digest for number in changed],
            "bodies": [sent[number].text.ciphertext for number in changed],
        },
    )
    restated = await connection.execute(_RESTATE, {**named, "sent": _as_json(sent, versions)})
    stored = {
        number: StoredDocument(versions[number], created_at, updated_at, False, new[number].removals)
        for number, created_at, updated_at in await restated.fetchall()
    }
    if changed:
        others = sum(versions[number] == 1 or new[number].is_deleted for number in changed)
        added_bytes = sum(len(sent[number].text.ciphertext) for number in changed)
        await usage.change(connection, named["tenant_id"], {Amount.DOCUMENTS: others, Amount.STORED_BYTES: added_bytes})
    return stored


def _as_json(sent: Sequence[SealedText], versions: Mapping[int, int] | None = None) -> str:
    """The documents without their texts; those that have a version in `versions`, if that is given."""
    numbers = range(len(sent)) if versions is None else versions
    return json.dumps(
        [
            {
                **sent[number].document.model_dump(mode="json", exclude={"text"}),
                "number": number,
                "version": None if versions is None else versions[number],
                "cell": sent[number].cell,
                "size_bytes": len(sent[number].document.text.encode()),
                "stored_bytes": len(sent[number].text.ciphertext),
                "characters": len(sent[number].document.text),
            }
            for number in numbers
        ]
    )
