"""Stores texts that jobs write as versions of documents."""

from functools import partial
from hashlib import sha256
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import text_cell
from infrastructure.ports import Refused
from infrastructure.ports.documents import NewText, gone
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.documents import acceptance
from infrastructure.postgres.documents.acceptance import Accepted, PreconditionFailed, Repeated, StaleKey, Unchanged
from infrastructure.postgres.documents.uploads import UploadedVersion
from infrastructure.postgres.jobs.submission import KeyReused
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.sessions import TenantSession, TenantSessions
from schemas.documents import DEFAULT_PROFILE, DocumentRef

KEY_HOURS: Final = 24 * 7
"""Beyond that a job that is run again finds the same text as the newest version's, and adds none."""
RING_AT_ONCE: Final = 0.0
"""The dispatcher rings for the import: a worker has no doorbells."""

_OF_JOB = "SELECT document_id, version FROM document_versions WHERE tenant_id = %s AND job_id = %s"


async def seal(sealer: Sealer, tenant_id: UUID, new: NewText, job_id: UUID) -> UploadedVersion:
    """The version to add, under the tenant's active key."""
    cell, encoded = str(uuid7()), new.text.encode()
    text = await sealer.seal(text_cell(tenant_id, cell), new.text)
    return UploadedVersion(
        document_id=new.document_id,
        cell=cell,
        digest=sha256(encoded).digest(),
        size_bytes=len(encoded),
        stored_bytes=len(text.ciphertext),
        media_type=new.media_type,
        file_name=None,
        original_key=None,
        text=text,
        fields=new.fields,
        profile=DEFAULT_PROFILE,
        idempotency_key=f"written-by-{job_id}",
    )


async def add(pool: TenantPool, tenant_id: UUID, version: UploadedVersion) -> DocumentRef | None:
    """The version as it is stored; None when the tenant's key was changed since it was sealed."""
    return await TenantSessions(pool).run(tenant_id, partial(_add, tenant_id=tenant_id, version=version))


async def _add(session: TenantSession, tenant_id: UUID, version: UploadedVersion) -> DocumentRef | None:
    outcome = await acceptance.accept(
        session, tenant_id, version, ring_again_seconds=RING_AT_ONCE, idempotency_hours=KEY_HOURS
    )
    match outcome:
        case Accepted(document=document) | Unchanged(document=document):
            return DocumentRef(id=document.id, version=document.version)
        case Repeated(job=job):
            return await _added_by(session, tenant_id, version, None if job is None else job.id)
        case KeyReused(job_id):
            # An earlier run of the job stored another text, such as one whose sections weren't kept so long.
            return await _added_by(session, tenant_id, version, job_id)
        case StaleKey():
            return None
        case PreconditionFailed():
            raise AssertionError("there is no precondition")


async def _added_by(
    session: TenantSession, tenant_id: UUID, version: UploadedVersion, import_job_id: UUID | None
) -> DocumentRef:
    rows = await session.driver.execute(_OF_JOB, (tenant_id, import_job_id))
    if (row := await rows.fetchone()) is None:
        raise Refused(gone(DocumentRef(id=version.document_id or "")))
    return DocumentRef(id=row[0], version=row[1])
