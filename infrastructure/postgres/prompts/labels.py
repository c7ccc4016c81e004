"""Labels of prompts: each move is a row, and the newest says where a label points."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from infrastructure.postgres.session import Connection
from infrastructure.prompts.shipped import SHIPPED_BY, shipped_for
from schemas.ai.labels import PromptLabelState, Variant
from schemas.ai.prompts import PRODUCTION, Industry

MAX_LABELS: Final = 50
"""Of a prompt, each for so many industries as it points to."""
FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Before every move: where `production` pointed when Bucatini came with the prompt."""

_COLUMNS = "label, industry, variants, moved_at, moved_by, because"
_STATES = f"""
SELECT DISTINCT ON (name, label, industry) name, {_COLUMNS} FROM ai_prompt_labels
WHERE tenant_id = %(tenant_id)s AND name = ANY(%(names)s) AND (%(label)s::text IS NULL OR label = %(label)s)
ORDER BY name, label, industry, moved_at DESC
"""
_HISTORY = f"""
SELECT {_COLUMNS} FROM ai_prompt_labels
WHERE tenant_id = %(tenant_id)s AND name = %(name)s AND label = %(label)s AND moved_at < %(before)s
  AND (%(industry)s::text IS NULL OR industry = %(industry)s)
ORDER BY moved_at DESC LIMIT %(limit)s
"""
# After the one before, whatever the clock says.
_MOVE = f"""
INSERT INTO ai_prompt_labels (tenant_id, name, label, industry, moved_at, moved_by, because, variants, back_to)
SELECT %(tenant_id)s, %(name)s, %(label)s, %(industry)s, greatest(clock_timestamp(), coalesce((
    SELECT max(moved_at) + interval '1 microsecond' FROM ai_prompt_labels
    WHERE tenant_id = %(tenant_id)s AND name = %(name)s AND label = %(label)s), clock_timestamp())),
  %(by)s, %(because)s, %(variants)s, %(back_to)s
RETURNING {_COLUMNS}
"""
_NEWEST_BASE = "SELECT max(version) FROM ai_prompt_versions WHERE tenant_id = %s AND name = %s AND industry IS NULL"
_POINTED_TO_BEFORE = """
SELECT DISTINCT (v ->> 'version')::int FROM ai_prompt_labels l, jsonb_array_elements(l.variants) AS v
WHERE l.tenant_id = %s AND l.name = %s AND l.label = %s AND l.industry = %s AND (v ->> 'version')::int = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Move:
    name: str
    label: str
    industry: Industry | None
    variants: tuple[Variant, ...]
    by: str
    because: str
    back_to: datetime | None = None
    """The move whose place it takes, or FIRST, when it goes back."""


async def states(
    connection: Connection, tenant_id: UUID, name: str, label: str | None = None
) -> tuple[PromptLabelState, ...]:
    """Where the prompt's labels point, or the given one: for all first, then for each industry. With where `production` pointed
    when Bucatini came, where the tenant moved it nowhere else."""
    return (await states_of_all(connection, tenant_id, [name], label))[name]


async def states_of_all(
    connection: Connection, tenant_id: UUID, names: Sequence[str], label: str | None = None
) -> dict[str, tuple[PromptLabelState, ...]]:
    """The same of many, with one statement."""
    named = {"tenant_id": tenant_id, "names": list(names), "label": label}
    own: dict[str, list[PromptLabelState]] = {name: [] for name in names}
    for name, *row in await (await connection.execute(_STATES, named)).fetchall():
        own[name].append(_state(tuple(row)))
    return {name: _with_shipped(name, label, moved) for name, moved in own.items()}


def _with_shipped(name: str, label: str | None, own: Sequence[PromptLabelState]) -> tuple[PromptLabelState, ...]:
    shipped = shipped_states(name) if label in (None, PRODUCTION) else ()
    moved = {(one.label, one.industry) for one in own}
    # A tenant's own prompt of that name goes before every overlay that it came with.
    is_moved = (PRODUCTION, None) in moved
    kept = [one for one in shipped if not is_moved and (one.label, one.industry) not in moved]
    return tuple(sorted((*own, *kept), key=lambda one: (one.label, one.industry or "")))


def shipped_states(name: str) -> tuple[PromptLabelState, ...]:
    versions = ((industry, shipped_for(name, PRODUCTION, industry)) for industry in (None, *Industry))
    return tuple(
        PromptLabelState(
            label=PRODUCTION,
            industry=industry,
            variants=(Variant(version=version.version, percent=100),),
            moved_at=None,
            moved_by=SHIPPED_BY,
            because="",
        )
        for industry, version in versions
        if version is not None
    )


async def base_for_overlay(connection: Connection, tenant_id: UUID, name: str) -> int | None:
    """The base version that a new overlay changes, if its author names none: that to which `production` points, or of a split
    one the larger share's; without it the newest."""
    found = [one for one in await states(connection, tenant_id, name, PRODUCTION) if one.industry is None]
    if found:
        return max(found[0].variants, key=lambda one: one.percent).version
    row = await (await connection.execute(_NEWEST_BASE, (tenant_id, name))).fetchone()
    return None if row is None or row[0] is None else int(row[0])


async def history(
    connection: Connection,
    tenant_id: UUID,
    name: str,
    label: str,
    *,
    industry: Industry | None,
    before: datetime,
    limit: int,
) -> list[PromptLabelState]:
    """The label's moves, the newest first: for all industries, or only the given one's."""
    named = {"tenant_id": tenant_id, "name": name, "label": label, "industry": industry, "before": before}
    return [_state(row) for row in await (await connection.execute(_HISTORY, {**named, "limit": limit})).fetchall()]


async def pointed_to_before(connection: Connection, tenant_id: UUID, wanted: Move) -> set[int]:
    """Which of its versions the label has pointed to: moving back needs no test."""
    versions = [one.version for one in wanted.variants]
    of = (tenant_id, wanted.name, wanted.label, wanted.industry or "", versions)
    found = {version for (version,) in await (await connection.execute(_POINTED_TO_BEFORE, of)).fetchall()}
    came = shipped_for(wanted.name, wanted.label, wanted.industry)
    return found if came is None else {*found, came.version}


async def move(connection: Connection, tenant_id: UUID, wanted: Move) -> PromptLabelState:
    """Adds the move. The prompt's row is locked."""
    row = await (
        await connection.execute(
            _MOVE,
            {
                "tenant_id": tenant_id,
                "name": wanted.name,
                "label": wanted.label,
                "industry": wanted.industry or "",
                "by": wanted.by,
                "because": wanted.because,
                "variants": Jsonb([one.model_dump() for one in wanted.variants]),
                "back_to": wanted.back_to,
            },
        )
    ).fetchone()
    assert row is not None, "the statement returns what it wrote"
    return _state(row)


def edition(found: Sequence[PromptLabelState]) -> str:
    """Of a label's states: another one after each move."""
    moves = [(one.label, one.industry, one.moved_at) for one in found]
    return sha256(repr(moves).encode()).hexdigest()[:16]


def _state(row: tuple[Any, ...]) -> PromptLabelState:
    label, industry, variants, moved_at, moved_by, because = row
    return PromptLabelState(
        label=label,
        industry=Industry(industry) if industry else None,
        variants=tuple(Variant.model_validate(one) for one in variants),
        moved_at=moved_at,
        moved_by=moved_by,
        because=because,
    )
