"""Lists prompts: a tenant's own, and those that Bucatini came with, in the order of their names."""

from typing import Any, Final
from uuid import UUID

from infrastructure.postgres.prompts import labels
from infrastructure.postgres.session import Connection
from infrastructure.prompts.shipped import descriptions, shipped
from schemas.ai.labels import PromptLabelState
from schemas.ai.prompt_list import Prompt
from schemas.ai.prompts import PromptVersionInfo

_OWN: Final = """
SELECT name, description, newest_version, created_at FROM ai_prompts
WHERE tenant_id = %(tenant_id)s AND name COLLATE "C" > %(after)s ORDER BY name COLLATE "C" LIMIT %(limit)s
"""
_VERSIONS: Final = """
SELECT version, industry, base, encode(digest, 'hex'), note, created_at, created_by FROM ai_prompt_versions
WHERE tenant_id = %(tenant_id)s AND name = %(name)s AND version < %(before)s ORDER BY version DESC LIMIT %(limit)s
"""
_ONE: Final = "SELECT name, description, newest_version, created_at FROM ai_prompts WHERE tenant_id = %s AND name = %s"


async def prompts(connection: Connection, tenant_id: UUID, *, after: str, limit: int) -> list[Prompt]:
    """With names after the given one."""
    named = {"tenant_id": tenant_id, "after": after, "limit": limit}
    own = {row[0]: row for row in await (await connection.execute(_OWN, named)).fetchall()}
    names = sorted({*own, *(name for name in shipped() if name > after)})[:limit]
    states = await labels.states_of_all(connection, tenant_id, names)
    return [_prompt(name, own.get(name), states[name]) for name in names]


async def prompt(connection: Connection, tenant_id: UUID, name: str) -> Prompt | None:
    """None when the tenant has none of this name, nor did Bucatini come with one."""
    row = await (await connection.execute(_ONE, (tenant_id, name))).fetchone()
    if row is None and name not in shipped():
        return None
    return _prompt(name, row, await labels.states(connection, tenant_id, name))


async def version_infos(
    connection: Connection, tenant_id: UUID, name: str, *, before: int, limit: int
) -> list[PromptVersionInfo]:
    """Without what they say, the newest first."""
    named = {"tenant_id": tenant_id, "name": name, "before": before, "limit": limit}
    rows = await (await connection.execute(_VERSIONS, named)).fetchall()
    fields = ("version", "industry", "base", "digest", "note", "created_at", "created_by")
    infos = {row[0]: PromptVersionInfo(name=name, **dict(zip(fields, row, strict=True))) for row in rows}
    came = {
        number: PromptVersionInfo(**{field: getattr(one, field) for field in PromptVersionInfo.model_fields})
        for number, one in shipped().get(name, {}).items()
        if number < before
    }
    return [one for _, one in sorted((came | infos).items(), reverse=True)][:limit]


def _prompt(name: str, row: tuple[Any, ...] | None, states: tuple[PromptLabelState, ...]) -> Prompt:
    _, description, newest, created_at = row or (name, descriptions()[name], max(shipped()[name]), None)
    return Prompt(
        name=name,
        description=description,
        shipped=name in shipped(),
        newest_version=newest,
        labels=states,
        created_at=created_at,
    )
