"""Pins references to documents: which version a job reads is decided when it is accepted."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from infrastructure.postgres.documents.states import state_of
from infrastructure.postgres.session import Connection
from schemas.documents import DocumentRef, VersionState

# Without a version: the current one, or else the newest, which isn't imported yet.
_PIN = f"""
SELECT coalesce(r.version, d.current_version, d.version), {state_of("v")}
FROM unnest(%(ids)s::text[], %(versions)s::bigint[]) WITH ORDINALITY AS r (id, version, place)
LEFT JOIN documents d ON d.tenant_id = %(tenant_id)s AND d.document_id = r.id AND d.deleted_at IS NULL
LEFT JOIN document_versions v ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id
  AND v.version = coalesce(r.version, d.current_version, d.version) AND v.version > coalesce(d.deleted_version, 0)
ORDER BY r.place
"""


class Unpinned(StrEnum):
    """Why a reference can't be pinned."""

    MISSING = "missing"
    """The tenant has no such document or version, or it was deleted."""
    IMPORTING = "importing"
    FAILED = "failed"
    """It couldn't be imported, so it has no text."""


@dataclass(frozen=True, slots=True)
class NotPinned:
    ref: DocumentRef
    reason: Unpinned


async def pin(connection: Connection, tenant_id: UUID, refs: Sequence[DocumentRef]) -> list[DocumentRef | NotPinned]:
    """Each reference with the version that is read, in order. One statement for all."""
    wanted = {"tenant_id": tenant_id, "ids": [ref.id for ref in refs], "versions": [ref.version for ref in refs]}
    rows = await (await connection.execute(_PIN, wanted)).fetchall()
    return [_pinned(ref, version, state) for ref, (version, state) in zip(refs, rows, strict=True)]


def _pinned(ref: DocumentRef, version: int | None, state: str | None) -> DocumentRef | NotPinned:
    match state:
        case None:
            return NotPinned(ref, Unpinned.MISSING)
        case VersionState.READY:
            return DocumentRef(id=ref.id, version=version)
        case VersionState.IMPORTING:
            return NotPinned(ref, Unpinned.IMPORTING)
        case _:
            return NotPinned(ref, Unpinned.FAILED)
