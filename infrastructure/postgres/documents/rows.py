"""The rows that accepting versions locks, reads and writes: a handful of statements, however many versions there are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infrastructure.postgres.documents.etags import edition
from infrastructure.postgres.documents.states import state_of
from infrastructure.postgres.documents.uploads import Standing, UploadedVersion
from infrastructure.postgres.session import Connection
from schemas.documents import VersionState


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to store."""

    document_id: str
    version: int
    job_id: UUID
    uploaded: UploadedVersion


_TAGS = """CASE s.tags WHEN '[]' THEN '{{}}'::text[]
  ELSE ARRAY(SELECT t.tag FROM jsonb_array_elements_text({0}::jsonb) WITH ORDINALITY AS t (tag, place) ORDER BY place) END"""
_STATES = """unnest(%(ids)b::text[], %(versions)b::bigint[], %(jobs)b::uuid[], %(titles)b::text[], %(types)b::text[],
  %(industries)b::text[], %(languages)b::text[], %(tags)b::text[], %(metadata)b::text[])
  AS s (document_id, version, job_id, title, document_type, industry, language, tags, metadata)"""

# What exists already is only locked: an update whose condition is false does that. In the order of their ids, so that two
# batches with the same documents can't deadlock.
_ADD_OR_LOCK = f"""
INSERT INTO documents AS d
  (tenant_id, document_id, version, job_id, title, document_type, industry, language, tags, metadata)
SELECT %(tenant)s, s.document_id, s.version, s.job_id, s.title, s.document_type, s.industry, s.language,
  {_TAGS.format("s.tags")}, s.metadata::jsonb
FROM {_STATES} ORDER BY s.document_id
ON CONFLICT (tenant_id, document_id) DO UPDATE SET version = d.version WHERE false
RETURNING document_id
"""
_STANDING = f"""
SELECT d.document_id, d.version, d.deleted_at IS NOT NULL, d.updated_at, coalesce(v.digest, ''), coalesce({state_of("v")}, 'failed'),
  d.title, d.document_type, d.industry, d.language, d.tags, d.metadata
FROM documents d LEFT JOIN document_versions v
  ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.version
WHERE d.tenant_id = %s AND d.document_id = ANY(%b)
"""
_RESTATE = f"""
UPDATE documents d SET version = s.version, job_id = s.job_id, title = s.title, document_type = s.document_type,
  industry = s.industry, language = s.language, tags = {_TAGS.format("s.tags")}, metadata = s.metadata::jsonb,
  updated_at = greatest(now(), d.updated_at), deleted_at = NULL
FROM {_STATES}, documents before
WHERE d.tenant_id = %(tenant)s AND d.document_id = s.document_id
  AND before.tenant_id = d.tenant_id AND before.document_id = d.document_id
RETURNING d.document_id, CASE
  WHEN (before.title, before.document_type, before.industry, before.language, before.tags)
    IS DISTINCT FROM (d.title, d.document_type, d.industry, d.language, d.tags) THEN d.indexed_version END
"""
_ADD_VERSIONS = """
INSERT INTO document_versions (tenant_id, document_id, version, cell, state, job_id, digest, size_bytes, stored_bytes,
  media_type, file_name, original_key, text)
SELECT %(tenant)s, s.document_id, s.version, s.cell, 'importing', s.job_id, s.digest, s.size_bytes, s.stored_bytes,
  s.media_type, s.file_name, s.original_key, s.text
FROM unnest(%(ids)b::text[], %(versions)b::bigint[], %(cells)b::text[], %(jobs)b::uuid[], %(digests)b::bytea[],
  %(sizes)b::bigint[], %(stored)b::bigint[], %(media_types)b::text[], %(file_names)b::text[], %(original_keys)b::bytea[],
  %(texts)b::bytea[])
  AS s (document_id, version, cell, job_id, digest, size_bytes, stored_bytes, media_type, file_name, original_key, text)
"""


async def add_or_lock(connection: Connection, tenant_id: UUID, wanted: Sequence[NewVersion]) -> set[str]:
    """Adds the documents that don't exist, locks the others until the transaction ends, and returns the added ones' ids."""
    found = await connection.execute(_ADD_OR_LOCK, {"tenant": tenant_id, **_written(wanted)})
    return {document_id for (document_id,) in await found.fetchall()}


async def standing(connection: Connection, tenant_id: UUID, ids: Sequence[str]) -> dict[str, Standing]:
    """The documents as they stand, by id."""
    if not ids:
        return {}
    found = await connection.execute(_STANDING, (tenant_id, list(ids)))
    return {
        document_id: Standing(
            version, None if is_deleted else edition(version, updated_at), digest, VersionState(state), tuple(fields)
        )
        for document_id, version, is_deleted, updated_at, digest, state, *fields in await found.fetchall()
    }


async def restate(connection: Connection, tenant_id: UUID, newest: Sequence[NewVersion]) -> dict[str, int]:
    """Gives the documents, which are locked, a new newest version. One that was deleted isn't any more. Returns the indexed
    versions, by their documents, of those that an index describes as they were."""
    if not newest:
        return {}
    found = await connection.execute(_RESTATE, {"tenant": tenant_id, **_written(newest)})
    return {document_id: version for document_id, version in await found.fetchall() if version is not None}


async def add_versions(connection: Connection, tenant_id: UUID, new: Sequence[NewVersion]) -> None:
    uploaded = [one.uploaded for one in new]
    await connection.execute(
        _ADD_VERSIONS,
        {
            "tenant": tenant_id,
            "ids": [one.document_id for one in new],
            "versions": [one.version for one in new],
            "cells": [one.cell for one in uploaded],
            "jobs": [one.job_id for one in new],
            "digests": [one.digest for one in uploaded],
            "sizes": [one.size_bytes for one in uploaded],
            "stored": [one.stored_bytes for one in uploaded],
            "media_types": [one.media_type for one in uploaded],
            "file_names": [one.file_name for one in uploaded],
            "original_keys": [None if one.original_key is None else one.original_key.ciphertext for one in uploaded],
            "texts": [None if one.text is None else one.text.ciphertext for one in uploaded],
        },
    )


def _written(states: Sequence[NewVersion]) -> dict[str, list[Any]]:
    fields = [one.uploaded.fields for one in states]
    return {
        "ids": [one.document_id for one in states],
        "versions": [one.version for one in states],
        "jobs": [one.job_id for one in states],
        "titles": [one.title for one in fields],
        "types": [one.document_type for one in fields],
        "industries": [one.industry for one in fields],
        "languages": [one.language for one in fields],
        # Arrays of several lengths don't fit into one array.
        "tags": [json.dumps(one.tags) for one in fields],
        "metadata": [json.dumps(one.metadata) for one in fields],
    }
