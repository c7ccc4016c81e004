"""Reads versions of prompts: a tenant's own, which are sealed, and those that came with Bucatini."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from infrastructure.key_vault.cells import prompt_version_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.session import Connection
from infrastructure.prompts.overlays import whole
from infrastructure.prompts.shipped import shipped_version
from schemas.ai.prompts import Industry, PromptContent, PromptVersion

NameAndVersion = tuple[str, int]

_COLUMNS: Final = (
    "v.name, v.version, v.industry, v.base, v.cell, v.content, v.digest, v.note, v.created_at, v.created_by"
)
# With the bases of overlays, whatever was asked for.
_FIND = f"""
WITH wanted AS (
  SELECT {_COLUMNS} FROM unnest(%(names)b::text[], %(versions)b::int[]) AS r (name, version)
  JOIN ai_prompt_versions v ON v.tenant_id = %(tenant_id)b AND v.name = r.name AND v.version = r.version)
SELECT {_COLUMNS} FROM wanted v
UNION
SELECT {_COLUMNS} FROM wanted w JOIN ai_prompt_versions v
  ON v.tenant_id = %(tenant_id)b AND v.name = w.name AND v.version = w.base
"""


@dataclass(frozen=True, slots=True)
class SealedVersion:
    """A tenant's own version, as it is stored."""

    name: str
    version: int
    industry: Industry | None
    base: int | None
    cell: str
    content: Sealed
    digest: bytes
    note: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class WholeVersion:
    """A version with all that it says: an overlay's content put over its base's."""

    version: PromptVersion
    content: PromptContent


SealedVersions = Mapping[NameAndVersion, SealedVersion]


async def find(connection: Connection, tenant_id: UUID, wanted: Sequence[NameAndVersion]) -> SealedVersions:
    """The tenant's own among them, with their bases where those are the tenant's own."""
    if not wanted:
        return {}
    named = {
        "tenant_id": tenant_id,
        "names": [name for name, _ in wanted],
        "versions": [version for _, version in wanted],
    }
    rows = await (await connection.execute(_FIND, named)).fetchall()
    return {(one.name, one.version): one for one in map(_sealed, rows)}


async def whole_version(
    sealer: Sealer, tenant_id: UUID, found: SealedVersions, name: str, version: int
) -> WholeVersion | None:
    """The version, opened; None when neither the tenant has it nor Bucatini came with it. Raises Unavailable when its key can't
    be fetched, and DecryptionFailed."""
    opened = await version_in(sealer, tenant_id, found, name, version)
    if opened is None or opened.base is None:
        return None if opened is None else WholeVersion(opened, opened.content)
    base = await version_in(sealer, tenant_id, found, name, opened.base)
    assert base is not None, "no version is ever removed, and it was there when the overlay was added"
    return WholeVersion(opened, whole(base.content, opened.content))


async def version_in(
    sealer: Sealer, tenant_id: UUID, found: SealedVersions, name: str, version: int
) -> PromptVersion | None:
    """As `whole_version`, with the content as it was given."""
    sealed = found.get((name, version))
    return shipped_version(name, version) if sealed is None else await opened_version(sealer, tenant_id, sealed)


async def opened_version(sealer: Sealer, tenant_id: UUID, sealed: SealedVersion) -> PromptVersion:
    text = await sealer.open(prompt_version_cell(tenant_id, sealed.cell), sealed.content)
    return PromptVersion(
        name=sealed.name,
        version=sealed.version,
        industry=sealed.industry,
        base=sealed.base,
        content=PromptContent.model_validate_json(text),
        digest=sealed.digest.hex(),
        note=sealed.note,
        created_at=sealed.created_at,
        created_by=sealed.created_by,
    )


def _sealed(row: tuple[Any, ...]) -> SealedVersion:
    name, version, industry, base, cell, content, *rest = row
    of = None if industry is None else Industry(industry)
    return SealedVersion(name, version, of, base, cell, Sealed(content), *rest)
