"""A tenant's reads of its documents, their versions, facts and jobs. Deleted documents are read too, without their versions:
`deleted_at` says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import dict_row
from sqlalchemy import ColumnElement, Table, func, select

from infrastructure.key_vault.sealed import Sealed
from infrastructure.postgres.documents.columns import (
    DOCUMENT,
    VERSION,
    document_of,
    documents_with_versions,
    version_of,
)
from infrastructure.postgres.documents.contents import COLUMNS, StoredContent, content_of
from infrastructure.postgres.jobs.queries import LEAN_COLUMNS, told_jobs
from infrastructure.postgres.tables.documents import document_facts, document_versions, documents
from infrastructure.postgres.tenants.sessions import TenantSession
from schemas.documents import Document, DocumentVersion
from schemas.jobs import Job

Where = tuple[ColumnElement[bool], ...]

_CONTENT: Final = tuple(document_versions.c[name] for name in COLUMNS)
# By the index `jobs_of_documents`.
_JOBS: Final = f"""
SELECT {LEAN_COLUMNS} FROM jobs
WHERE tenant_id = %(tenant_id)s AND command #>> '{{document,id}}' = %(document_id)s AND id < %(before)s
ORDER BY id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class SealedFinding:
    """What a job found in a version, sealed for `facts_cell` of its cell."""

    version: int
    job_id: UUID
    kind: str
    found_at: datetime
    cell: str
    facts: Sealed


async def document(session: TenantSession, tenant_id: UUID, document_id: str) -> Document | None:
    """None when the tenant has no such document."""
    found = select(*DOCUMENT).select_from(documents_with_versions()).where(*_is(tenant_id, document_id))
    row = (await session.execute(found)).mappings().first()
    return None if row is None else document_of(row)


async def deleted_versions(session: TenantSession, tenant_id: UUID, ids: Sequence[str]) -> dict[str, int]:
    """Of each of these documents that was deleted, also if it has newer versions since, its newest version then."""
    found = select(documents.c.document_id, documents.c.deleted_version).where(
        documents.c.tenant_id == tenant_id,
        documents.c.document_id.in_(ids),
        documents.c.deleted_version.is_not(None),
    )
    return {row.document_id: row.deleted_version for row in await session.execute(found)}


async def deleted_documents(session: TenantSession, tenant_id: UUID, ids: Sequence[str]) -> frozenset[str]:
    """Those of these documents that are deleted now."""
    found = select(documents.c.document_id).where(
        documents.c.tenant_id == tenant_id, documents.c.document_id.in_(ids), documents.c.deleted_at.is_not(None)
    )
    return frozenset((await session.execute(found)).scalars())


async def versions(
    session: TenantSession, tenant_id: UUID, document_id: str, *, before: int, limit: int
) -> list[DocumentVersion]:
    """Up to `limit` versions, the newest first, all older than the version `before`."""
    found = select(*VERSION).where(*_of(tenant_id, document_id), _stands(document_versions))
    found = found.where(document_versions.c.version < before)
    newest_first = found.order_by(document_versions.c.version.desc()).limit(limit)
    return [version_of(row) for row in (await session.execute(newest_first)).mappings()]


async def version(session: TenantSession, tenant_id: UUID, document_id: str, number: int) -> DocumentVersion | None:
    """None when the document has no such version."""
    found = select(*VERSION).where(*_of(tenant_id, document_id), _stands(document_versions))
    found = found.where(document_versions.c.version == number)
    row = (await session.execute(found)).mappings().first()
    return None if row is None else version_of(row)


async def content(
    session: TenantSession, tenant_id: UUID, document_id: str, number: int | None = None
) -> StoredContent | None:
    """Of that version, or of the current one; None when there is none, or it was deleted."""
    wanted = documents.c.current_version if number is None else number
    found = (
        select(*_CONTENT)
        .where(*_is(tenant_id, document_id), *_of(tenant_id, document_id), documents.c.deleted_at.is_(None))
        .where(document_versions.c.version == wanted)
        .where(document_versions.c.version > func.coalesce(documents.c.deleted_version, 0))
    )
    row = (await session.execute(found)).first()
    return None if row is None else content_of(tuple(row))


async def facts(
    session: TenantSession, tenant_id: UUID, document_id: str, *, number: int | None, before: UUID, limit: int
) -> list[SealedFinding]:
    """Up to `limit` findings, the newest jobs' first, all of jobs older than `before`; of one version if it is given.
    `contents.py` opens them."""
    found = select(
        document_facts.c.version,
        document_facts.c.job_id,
        document_facts.c.kind,
        document_facts.c.created_at.label("found_at"),
        document_facts.c.cell,
        document_facts.c.facts,
    ).where(
        document_facts.c.tenant_id == tenant_id, document_facts.c.document_id == document_id, _stands(document_facts)
    )
    if number is not None:
        found = found.where(document_facts.c.version == number)
    newest_first = found.where(document_facts.c.job_id < before).order_by(document_facts.c.job_id.desc()).limit(limit)
    rows = (await session.execute(newest_first)).mappings()
    return [SealedFinding(**{**row, "facts": Sealed(row["facts"])}) for row in rows]


async def jobs_of(session: TenantSession, tenant_id: UUID, document_id: str, *, before: UUID, limit: int) -> list[Job]:
    """Up to `limit` jobs that the document was given to, the newest first, all older than the job `before`. Each says where
    its result is."""
    wanted = {"tenant_id": tenant_id, "document_id": document_id, "before": before, "limit": limit}
    async with session.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_JOBS, wanted)
        return await told_jobs(await cursor.fetchall())


def _is(tenant_id: UUID, document_id: str) -> Where:
    return documents.c.tenant_id == tenant_id, documents.c.document_id == document_id


def _stands(rows: Table) -> ColumnElement[bool]:
    """Whether the version wasn't deleted: of a document that was, and has newer ones now, the old ones are going."""
    deleted = select(func.coalesce(documents.c.deleted_version, 0)).where(
        documents.c.tenant_id == rows.c.tenant_id, documents.c.document_id == rows.c.document_id
    )
    return rows.c.version > deleted.scalar_subquery()


def _of(tenant_id: UUID, document_id: str) -> Where:
    return document_versions.c.tenant_id == tenant_id, document_versions.c.document_id == document_id
