"""Changes what is said about a document, and deletes documents."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from uuid_utils.compat import uuid7

from infrastructure.postgres.documents import queries
from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition, edition
from infrastructure.postgres.documents.jobs import (
    ORDINARY,
    ImportOptions,
    StoredJob,
    indexing_job,
    removal_job,
    store_jobs,
)
from infrastructure.postgres.tables.documents import documents
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.quotas import check_active
from infrastructure.postgres.tenants.sessions import TenantSession
from infrastructure.postgres.tenants.usage import Amount
from schemas.documents import Document, DocumentChange
from schemas.jobs import TERMINAL

_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
# Two changes in one transaction's time, or by a clock that was set back, have different entity tags too.
_NOW: Final = func.greatest(func.clock_timestamp(), documents.c.updated_at + func.make_interval(0, 0, 0, 0, 0, 0, 1e-6))

# A tombstone's job is the one that removes its contents.
_TAKE_LEFT_OVER: Final = f"""
UPDATE documents d SET job_id = %(job_id)s
WHERE d.tenant_id = %(tenant_id)s AND d.document_id = %(document_id)s AND d.deleted_at IS NOT NULL
  AND EXISTS (SELECT FROM document_versions v WHERE v.tenant_id = d.tenant_id AND v.document_id = d.document_id
    AND v.version <= d.deleted_version AND v.stored_bytes > 0)
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.tenant_id = d.tenant_id AND j.id = d.job_id AND j.state NOT IN ({_ENDED}))
RETURNING d.deleted_version
"""

# Should it come back, saved searches tell of it anew.
_FORGET_MATCHES: Final = "DELETE FROM saved_search_matches WHERE tenant_id = %s AND document_id = %s"

INDEXED: Final = frozenset({"title", "document_type", "industry", "language", "tags"})
"""What an index has of what is said about a document."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The document as it is now."""

    document: Document
    stored: StoredJob | None
    """The job by which its index learns of it; None when it needn't. Ring for it after the commit."""


@dataclass(frozen=True, slots=True)
class NotThere:
    """There is no such document, or it was deleted."""


@dataclass(frozen=True, slots=True)
class NotAsExpected:
    """The precondition isn't met."""

    document: Document


@dataclass(frozen=True, slots=True)
class Deleted:
    """The document can't be read any more, and the job removes its contents. Ring for it after the commit."""

    stored: StoredJob
    version: int


async def change(
    session: TenantSession,
    tenant_id: UUID,
    document_id: str,
    wanted: DocumentChange,
    precondition: Precondition = UNCONDITIONAL,
    *,
    options: ImportOptions = ORDINARY,
    ring_again_seconds: float,
) -> Changed | NotThere | NotAsExpected:
    """Changes the given fields. Raises TenantSuspended; then nothing is changed."""
    await check_active(session.driver, tenant_id)
    if (refused := await _refused(session, tenant_id, document_id, precondition)) is not None:
        return refused
    given = {
        name: value
        for name, value in wanted.model_dump(exclude_unset=True).items()
        if value is not None or documents.c[name].nullable
    }
    restated = _of(tenant_id, document_id).values(**given, updated_at=_NOW)
    indexed_version = await session.scalar(restated.returning(documents.c.indexed_version))
    changed = await queries.document(session, tenant_id, document_id)
    assert changed is not None, "its row is locked"
    if indexed_version is None or not is_indexed(wanted):
        return Changed(changed, None)
    job = indexing_job(uuid7(), tenant_id, document_id, indexed_version, options)
    (stored,) = await store_jobs(session.driver, [job], ring_again_seconds=ring_again_seconds)
    return Changed(changed, stored)


def is_indexed(wanted: DocumentChange) -> bool:
    """Whether an index has any of what is to be changed."""
    return not INDEXED.isdisjoint(wanted.model_fields_set)


async def delete(
    session: TenantSession,
    tenant_id: UUID,
    document_id: str,
    precondition: Precondition = UNCONDITIONAL,
    *,
    options: ImportOptions = ORDINARY,
    ring_again_seconds: float,
) -> Deleted | NotThere | NotAsExpected:
    """Deletes the document: from the commit on it isn't found, and no late job brings one of its versions back. The room of
    its contents is free once they are removed. Of a document that was deleted before, and whose removal was cancelled or died,
    the contents are removed after all."""
    await check_active(session.driver, tenant_id)
    refused = await _refused(session, tenant_id, document_id, precondition)
    if isinstance(refused, NotThere) and precondition.met_by(None):
        return await _remove_after_all(session, tenant_id, document_id, options, ring_again_seconds) or refused
    if refused is not None:
        return refused
    # The job's id is the newest that the document knows: an older one that indexes a text doesn't revive it.
    job_id = uuid7()
    buried = {
        "deleted_version": documents.c.version,
        "current_version": None,
        "indexed_version": None,
        "job_id": job_id,
    }
    tombstone = _of(tenant_id, document_id).values(**buried, deleted_at=func.now(), updated_at=_NOW)
    version = await session.scalar(tombstone.returning(documents.c.version))
    assert version is not None, "its row is locked"
    await session.driver.execute(_FORGET_MATCHES, (tenant_id, document_id))
    job = removal_job(job_id, tenant_id, document_id, version, options)
    (stored,) = await store_jobs(session.driver, [job], ring_again_seconds=ring_again_seconds)
    await usage.change(session.driver, tenant_id, {Amount.DOCUMENTS: -1})
    return Deleted(stored, version)


async def _remove_after_all(
    session: TenantSession, tenant_id: UUID, document_id: str, options: ImportOptions, ring_again_seconds: float
) -> Deleted | None:
    """None when nothing is left of the document, or a job removes it."""
    job_id = uuid7()
    named = {"tenant_id": tenant_id, "document_id": document_id, "job_id": job_id}
    row = await (await session.driver.execute(_TAKE_LEFT_OVER, named)).fetchone()
    if row is None:
        return None
    job = removal_job(job_id, tenant_id, document_id, row[0], options)
    (stored,) = await store_jobs(session.driver, [job], ring_again_seconds=ring_again_seconds)
    return Deleted(stored, row[0])


async def _refused(
    session: TenantSession, tenant_id: UUID, document_id: str, precondition: Precondition
) -> NotThere | NotAsExpected | None:
    """Why the document can't be changed; None if it can, and its row is locked then."""
    standing = select(documents.c.version, documents.c.updated_at, documents.c.deleted_at)
    own = (documents.c.tenant_id == tenant_id, documents.c.document_id == document_id)
    row = (await session.execute(standing.where(*own).with_for_update())).first()
    if row is None or row.deleted_at is not None:
        return NotThere()
    if precondition.met_by(edition(row.version, row.updated_at)):
        return None
    document = await queries.document(session, tenant_id, document_id)
    assert document is not None, "its row is locked"
    return NotAsExpected(document)


def _of(tenant_id: UUID, document_id: str) -> Any:
    return update(documents).where(documents.c.tenant_id == tenant_id, documents.c.document_id == document_id)
