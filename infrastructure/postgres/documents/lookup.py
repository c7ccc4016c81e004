"""Looks up what jobs need of a version, in one statement each."""

from typing import Any, Final
from uuid import UUID

from infrastructure.ports.documents import VersionDetails
from infrastructure.postgres.documents.contents import COLUMNS, StoredContent, content_of
from infrastructure.postgres.documents.states import state_of
from infrastructure.postgres.session import Connection
from schemas.documents import DEFAULT_PROFILE, DocumentRef, IngestionProfile, VersionState

_VERSION: Final = """
FROM documents d JOIN document_versions v
  ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = coalesce(%(version)s::bigint, d.current_version)
WHERE d.tenant_id = %(tenant_id)s AND d.document_id = %(document_id)s
"""
_DETAILS: Final = f"""
SELECT v.document_id, v.version, {state_of("v")}, coalesce(v.version = d.current_version, false),
  v.version <= coalesce(d.deleted_version, 0), v.media_type, v.file_name,
  coalesce(d.title, v.title, v.file_name, d.document_id), d.document_type, d.industry, coalesce(d.language, v.language),
  d.tags, d.created_at, d.updated_at, v.characters, v.pages {_VERSION}
"""
_CONTENT: Final = f"""
SELECT {", ".join(f"v.{name}" for name in COLUMNS)} {_VERSION} AND v.version > coalesce(d.deleted_version, 0)
"""
_PROFILE: Final = """
SELECT profile FROM ingestion_profiles WHERE tenant_id = %s AND name IN (%s, %s) ORDER BY name = %s LIMIT 1
"""


async def details(connection: Connection, tenant_id: UUID, ref: DocumentRef) -> VersionDetails | None:
    """Of that version, or of the current one; also of one that was deleted while its row is there."""
    row = await (await connection.execute(_DETAILS, _named(tenant_id, ref))).fetchone()
    if row is None:
        return None
    document_id, version, state, is_current, is_deleted, media_type, file_name, title, *described = row
    document_type, industry, language, tags, created_at, updated_at, characters, pages = described
    return VersionDetails(
        document_id=document_id,
        version=version,
        state=VersionState(state),
        is_current=is_current,
        is_deleted=is_deleted,
        media_type=media_type,
        file_name=file_name,
        title=title,
        document_type=document_type,
        industry=industry,
        language=language,
        tags=tuple(tags),
        created_at=created_at,
        updated_at=updated_at,
        characters=characters,
        pages=pages,
    )


async def content(connection: Connection, tenant_id: UUID, ref: DocumentRef) -> StoredContent | None:
    """Of that version, or of the current one; None when it isn't there or was deleted."""
    row = await (await connection.execute(_CONTENT, _named(tenant_id, ref), binary=True)).fetchone()
    return None if row is None else content_of(row)


async def profile(connection: Connection, tenant_id: UUID, name: str) -> IngestionProfile:
    """The profile, or the default one where it was removed meanwhile."""
    named = (tenant_id, name, DEFAULT_PROFILE, DEFAULT_PROFILE)
    row = await (await connection.execute(_PROFILE, named)).fetchone()
    return IngestionProfile() if row is None else IngestionProfile.model_validate(row[0])


def _named(tenant_id: UUID, ref: DocumentRef) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "document_id": ref.id, "version": ref.version}
