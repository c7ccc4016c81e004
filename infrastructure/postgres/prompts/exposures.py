"""Notes which version of a prompt a job was written with, and counts them."""

from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from infrastructure.postgres.session import Connection
from schemas.ai.labels import PromptExposure
from schemas.ai.prompts import PromptRef

# A replayed job may be written with another version: then that one counts.
_NOTE = """
INSERT INTO ai_prompt_exposures (tenant_id, job_id, name, version, label, subject_hash)
VALUES (%(tenant_id)s, %(job_id)s, %(name)s, %(version)s, %(label)s, %(subject_hash)s)
ON CONFLICT (tenant_id, job_id) DO UPDATE SET name = excluded.name, version = excluded.version, label = excluded.label,
  subject_hash = excluded.subject_hash, created_at = now()
WHERE (ai_prompt_exposures.name, ai_prompt_exposures.version) IS DISTINCT FROM (excluded.name, excluded.version)
"""

# By the index of the version's jobs.
_COUNT = """
SELECT version, label, count(*), count(DISTINCT subject_hash) FROM ai_prompt_exposures
WHERE tenant_id = %(tenant_id)s AND name = %(name)s AND created_at >= %(since)s
GROUP BY version, label ORDER BY version DESC, label NULLS LAST LIMIT %(limit)s
"""
MAX_LISTED: Final = 200


async def exposures(connection: Connection, tenant_id: UUID, name: str, *, since: datetime) -> list[PromptExposure]:
    """The newest versions first, at most MAX_LISTED."""
    named = {"tenant_id": tenant_id, "name": name, "since": since, "limit": MAX_LISTED}
    return [
        PromptExposure(version=version, label=label, jobs=jobs, subjects=subjects)
        for version, label, jobs, subjects in await (await connection.execute(_COUNT, named)).fetchall()
    ]


async def note(connection: Connection, tenant_id: UUID, job_id: UUID, ref: PromptRef) -> None:
    await connection.execute(
        _NOTE,
        {
            "tenant_id": tenant_id,
            "job_id": job_id,
            "name": ref.name,
            "version": ref.version,
            "label": ref.label,
            "subject_hash": None if ref.subject is None else subject_hash(tenant_id, ref.subject),
        },
    )


def subject_hash(tenant_id: UUID, subject: str) -> bytes:
    """Tells subjects apart, and tenants' subjects too."""
    return sha256(tenant_id.bytes + subject.encode()).digest()
