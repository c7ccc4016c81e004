"""Moves a label back to where it pointed before, and again to where it pointed before that."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from infrastructure.postgres.prompts import labels
from infrastructure.postgres.prompts.additions import NoSuchPrompt, find_locked
from infrastructure.postgres.prompts.labels import Move
from infrastructure.postgres.prompts.moves import Moved, MovedMeanwhile
from infrastructure.postgres.session import Connection
from infrastructure.prompts.shipped import shipped_for
from schemas.ai.labels import LabelRollback, Variant
from schemas.ai.prompts import Industry

ROLLED_BACK: Final = "rolled back"

# A move back stands in the place of the one that it went back to: what was in between is passed over from then on.
_BEFORE = """
SELECT variants, coalesce(back_to, moved_at) FROM ai_prompt_labels
WHERE tenant_id = %s AND name = %s AND label = %s AND industry = %s AND moved_at < %s ORDER BY moved_at DESC LIMIT 1
"""
_LATER_THAN_ALL: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NowhereBefore:
    """It has pointed nowhere else before."""


@dataclass(frozen=True, slots=True)
class _Place:
    variants: tuple[Variant, ...]
    at: datetime
    """Its move's, or FIRST."""


async def roll_back_label(
    connection: Connection,
    tenant_id: UUID,
    name: str,
    label: str,
    wanted: LabelRollback,
    *,
    by: str,
    precondition: Precondition = UNCONDITIONAL,
) -> Moved | NoSuchPrompt | MovedMeanwhile | NowhereBefore:
    """Where the label points now. It needs no test: whoever moves back is in a hurry. Call it in a transaction. Raises
    QuotaExceeded and TenantSuspended."""
    if await find_locked(connection, tenant_id, name) is None:
        return NoSuchPrompt()
    states = await labels.states(connection, tenant_id, name, label)
    if not precondition.met_by(labels.edition(states) if states else None):
        return MovedMeanwhile(labels.edition(states))
    found = await _before_the_present(connection, tenant_id, name, label, wanted.industry)
    if found is None:
        return NowhereBefore()
    move = Move(name, label, wanted.industry, found.variants, by, wanted.because or ROLLED_BACK, back_to=found.at)
    state = await labels.move(connection, tenant_id, move)
    return Moved(state, labels.edition(await labels.states(connection, tenant_id, name, label)))


async def _before_the_present(
    connection: Connection, tenant_id: UUID, name: str, label: str, industry: Industry | None
) -> _Place | None:
    """The nearest place before the present one where it pointed elsewhere."""
    of = (tenant_id, name, label, industry or "")
    present = await _moved_before(connection, of, _LATER_THAN_ALL)
    if present is None:
        return None
    place = present
    while place.at > labels.FIRST:
        earlier = await _moved_before(connection, of, place.at) or _as_it_came(name, label, industry)
        if earlier is None:
            return None
        if earlier.variants != present.variants:
            return earlier
        place = earlier
    return None


async def _moved_before(connection: Connection, of: tuple[object, ...], moment: datetime) -> _Place | None:
    row = await (await connection.execute(_BEFORE, (*of, moment))).fetchone()
    return None if row is None else _Place(tuple(Variant.model_validate(one) for one in row[0]), row[1])


def _as_it_came(name: str, label: str, industry: Industry | None) -> _Place | None:
    came = shipped_for(name, label, industry)
    return None if came is None else _Place((Variant(version=came.version, percent=100),), labels.FIRST)
