"""Adds versions of prompts. None is ever changed or removed."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.quotas import Quota, check_active, check_room
from infrastructure.prompts.shipped import descriptions, shipped
from schemas.ai.prompts import Industry

PROMPTS: Final = Quota("prompts", "ai_prompts", limit=500)
VERSIONS: Final = Quota("prompt_versions", "ai_prompt_versions", limit=20_000)

# A prompt that came with Bucatini has a row as soon as something of it is the tenant's own.
_ENSURE = """
INSERT INTO ai_prompts (tenant_id, name, description, newest_version)
VALUES (%(tenant_id)s, %(name)s, %(description)s, %(shipped)s) ON CONFLICT (tenant_id, name) DO NOTHING
"""
_LOCK = "SELECT newest_version FROM ai_prompts WHERE tenant_id = %s AND name = %s FOR UPDATE"
_HAS_OWN = "SELECT EXISTS (SELECT FROM ai_prompt_versions WHERE tenant_id = %s AND name = %s)"
_NEWEST_LIKE_IT = """
SELECT version, digest FROM ai_prompt_versions
WHERE tenant_id = %s AND name = %s AND industry IS NOT DISTINCT FROM %s ORDER BY version DESC LIMIT 1
"""
_ADD = """
WITH counted AS (
  UPDATE ai_prompts SET newest_version = newest_version + 1 WHERE tenant_id = %(tenant_id)s AND name = %(name)s
  RETURNING newest_version)
INSERT INTO ai_prompt_versions (tenant_id, name, version, industry, base, cell, content, digest, note, created_by)
SELECT %(tenant_id)s, %(name)s, newest_version, %(industry)s, %(base)s, %(cell)s, %(content)b, %(digest)s, %(note)s, %(by)s
FROM counted RETURNING version
"""
_DESCRIBE = "UPDATE ai_prompts SET description = %s WHERE tenant_id = %s AND name = %s"


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to add, but for its sealed content."""

    name: str
    industry: Industry | None
    base: int | None
    cell: str
    digest: bytes
    note: str
    by: str


@dataclass(frozen=True, slots=True)
class Added:
    version: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The newest version of the industry says the same already."""

    version: int


@dataclass(frozen=True, slots=True)
class NameTaken:
    """The tenant has a prompt of this name already."""


@dataclass(frozen=True, slots=True)
class NoSuchPrompt:
    """The tenant has no prompt of this name, nor did Bucatini come with one."""


@dataclass(frozen=True, slots=True)
class NotAsExpected:
    """The precondition isn't met: another version is the newest now."""

    newest_version: int


async def add_prompt(
    connection: Connection, tenant_id: UUID, description: str, new: NewVersion, content: bytes
) -> Added | NameTaken:
    """The prompt with its first version, to which `production` is to be moved. Raises QuotaExceeded and TenantSuspended. Call
    it in a transaction."""
    await ensure_prompt(connection, tenant_id, new.name)
    own = await (await connection.execute(_HAS_OWN, (tenant_id, new.name))).fetchone()
    if own is not None and own[0]:
        return NameTaken()
    await connection.execute(_DESCRIBE, (description, tenant_id, new.name))
    return Added(await _add(connection, tenant_id, new, content))


async def add_version(
    connection: Connection,
    tenant_id: UUID,
    new: NewVersion,
    content: bytes,
    precondition: Precondition = UNCONDITIONAL,
) -> Added | Unchanged | NoSuchPrompt | NotAsExpected:
    """A version after the newest: two that add at the same time get two. Raises QuotaExceeded and TenantSuspended. Call it in
    a transaction."""
    newest = await find_locked(connection, tenant_id, new.name)
    if newest is None:
        return NoSuchPrompt()
    if not precondition.met_by(str(newest)):
        return NotAsExpected(newest)
    row = await (await connection.execute(_NEWEST_LIKE_IT, (tenant_id, new.name, new.industry))).fetchone()
    if row is not None and bytes(row[1]) == new.digest:
        return Unchanged(row[0])
    return Added(await _add(connection, tenant_id, new, content))


async def find_locked(connection: Connection, tenant_id: UUID, name: str) -> int | None:
    """The prompt's newest version. Its row is locked until the transaction ends, and made if Bucatini came with the prompt; None
    when there is no such prompt. Raises QuotaExceeded and TenantSuspended."""
    await check_active(connection, tenant_id)
    row = await (await connection.execute(_LOCK, (tenant_id, name))).fetchone()
    if row is None and name in shipped():
        await ensure_prompt(connection, tenant_id, name)
        row = await (await connection.execute(_LOCK, (tenant_id, name))).fetchone()
    return None if row is None else int(row[0])


async def ensure_prompt(connection: Connection, tenant_id: UUID, name: str) -> None:
    """A row for the prompt, locked until the transaction ends."""
    if await (await connection.execute(_LOCK, (tenant_id, name))).fetchone() is None:
        await check_room(connection, PROMPTS, tenant_id)
        made = {"description": descriptions().get(name, ""), "shipped": max(shipped().get(name, {}), default=0)}
        await connection.execute(_ENSURE, {"tenant_id": tenant_id, "name": name, **made})
        await connection.execute(_LOCK, (tenant_id, name))


async def _add(connection: Connection, tenant_id: UUID, new: NewVersion, content: bytes) -> int:
    await check_room(connection, VERSIONS, tenant_id)
    row = await (
        await connection.execute(
            _ADD,
            {
                "tenant_id": tenant_id,
                "name": new.name,
                "industry": new.industry,
                "base": new.base,
                "cell": new.cell,
                "content": content,
                "digest": new.digest,
                "note": new.note,
                "by": new.by,
            },
        )
    ).fetchone()
    assert row is not None, "its prompt's row is locked"
    return int(row[0])
