"""Notes which documents are to be found, and which aren't any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.documents import gone, unread
from infrastructure.ports.search import Marked
from infrastructure.postgres.documents.jobs import ImportOptions, StoredJob, command_job, store_jobs
from infrastructure.postgres.documents.states import state_of
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.quotas import check_active
from schemas.documents import DocumentRef, VersionState
from schemas.search import UnindexDocument

# In the order of their ids: two jobs can't wait for each other.
_LOCK: Final = """
SELECT FROM documents WHERE tenant_id = %(tenant_id)s AND document_id = ANY(%(ids)s) ORDER BY document_id FOR UPDATE
"""
# A job that was submitted before the document was taken out of the index doesn't bring it back.
_MARK: Final = f"""
WITH wanted AS (
  SELECT r.version, d.document_id, d.current_version, d.deleted_version, d.indexed_version,
    d.unindexed_by IS NULL OR d.unindexed_by < %(job_id)s AS may
  FROM unnest(%(ids)s::text[], %(versions)s::bigint[]) AS r (id, version)
  JOIN documents d ON d.tenant_id = %(tenant_id)s AND d.document_id = r.id),
marked AS (
  UPDATE documents d SET indexed_version = w.current_version FROM wanted w
  WHERE d.tenant_id = %(tenant_id)s AND d.document_id = w.document_id AND w.may
    AND w.current_version = coalesce(w.version, w.current_version)
    AND w.indexed_version IS DISTINCT FROM w.current_version)
SELECT w.document_id, v.version, {state_of("v")}, coalesce(v.version = w.current_version AND w.may, false)
FROM wanted w JOIN document_versions v
  ON v.tenant_id = %(tenant_id)s AND v.document_id = w.document_id
  AND v.version = coalesce(w.version, w.current_version) AND v.version > coalesce(w.deleted_version, 0)
"""
# What it was found as may be older than the current version, whose job is under way: that one is to stay out as well.
_UNMARK: Final = """
UPDATE documents SET indexed_version = NULL, index_removals = index_removals + 1, unindexed_by = %(job_id)s
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND deleted_at IS NULL AND current_version IS NOT NULL
  AND (indexed_version IS NOT NULL OR unindexed_by IS NOT NULL)
RETURNING current_version, index_removals - 1
"""
_FORGET_MATCHES: Final = "DELETE FROM saved_search_matches WHERE tenant_id = %s AND document_id = %s"


async def mark(
    connection: Connection, tenant_id: UUID, job_id: UUID, refs: Sequence[DocumentRef]
) -> list[Marked | Refused | Unavailable]:
    """Notes that these versions are to be found, and returns what became of each. Their ids are distinct. Call it in a
    transaction."""
    wanted = {
        "tenant_id": tenant_id,
        "job_id": job_id,
        "ids": [ref.id for ref in refs],
        "versions": [ref.version for ref in refs],
    }
    await connection.execute(_LOCK, wanted)
    rows = await (await connection.execute(_MARK, wanted)).fetchall()
    found = {document_id: (version, VersionState(state), is_marked) for document_id, version, state, is_marked in rows}
    return [_marked(ref, found.get(ref.id)) for ref in refs]


def _marked(ref: DocumentRef, found: tuple[int, VersionState, bool] | None) -> Marked | Refused | Unavailable:
    if found is None:
        return Refused(gone(ref))
    version, state, is_marked = found
    match state:
        case VersionState.IMPORTING:
            return Unavailable(f"version {version} of the document is still being imported")
        case VersionState.FAILED:
            return Refused(unread(DocumentRef(id=ref.id, version=version)))
        case VersionState.READY:
            return Marked(version, superseded=not is_marked)


@dataclass(frozen=True, slots=True)
class Unmarked:
    """The document isn't to be found any more; the job takes it out of the index. Ring for it after the commit."""

    stored: StoredJob


async def unmark(
    connection: Connection, tenant_id: UUID, document_id: str, *, options: ImportOptions, ring_again_seconds: float
) -> Unmarked | None:
    """None when no such document was ever to be found. Call it in a transaction. Raises TenantSuspended."""
    await check_active(connection, tenant_id)
    # Jobs that index the document are older or newer than this one by their ids.
    job_id = uuid7()
    named = {"tenant_id": tenant_id, "document_id": document_id, "job_id": job_id}
    row = await (await connection.execute(_UNMARK, named)).fetchone()
    if row is None:
        return None
    await connection.execute(_FORGET_MATCHES, (tenant_id, document_id))
    version, removals = row
    command = UnindexDocument(document=DocumentRef(id=document_id, version=version), removals=removals)
    job = command_job(job_id, tenant_id, command, options)
    (stored,) = await store_jobs(connection, [job], ring_again_seconds=ring_again_seconds)
    return Unmarked(stored)
