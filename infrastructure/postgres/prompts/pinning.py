"""Decides which version of a prompt a job is written from, when it is accepted."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from infrastructure.postgres.prompts import versions
from infrastructure.postgres.prompts.versions import SealedVersions
from infrastructure.postgres.session import Connection
from infrastructure.prompts.shipped import shipped, shipped_for, shipped_version
from schemas.ai.labels import Variant
from schemas.ai.prompts import PRODUCTION, Industry, PromptRef

# Of each reference, where its label points for its industry, or else for all.
_LABELS = """
SELECT m.variants
FROM unnest(%(names)s::text[], %(labels)s::text[], %(industries)s::text[]) WITH ORDINALITY AS r (name, label, industry, place)
LEFT JOIN LATERAL (
  SELECT l.variants FROM ai_prompt_labels l
  WHERE l.tenant_id = %(tenant_id)s AND l.name = r.name AND l.label = r.label AND l.industry IN (r.industry, '')
  ORDER BY l.industry DESC, l.moved_at DESC LIMIT 1) m ON true
ORDER BY r.place
"""
_KNOWN = "SELECT name FROM ai_prompts WHERE tenant_id = %s AND name = ANY(%s)"
SHARES: Final = 10_000


class Unpinned(StrEnum):
    """Why a reference can't be pinned."""

    PROMPT = "prompt"
    """There is no such prompt."""
    VERSION = "version"
    LABEL = "label"
    """The label points nowhere."""


@dataclass(frozen=True, slots=True)
class NotPinned:
    ref: PromptRef
    reason: Unpinned


@dataclass(frozen=True, slots=True)
class Pins:
    refs: list[PromptRef | NotPinned]
    """Each reference with its version, in order."""
    found: SealedVersions
    """What is the tenant's own among the versions, and their bases."""


async def pin(connection: Connection, tenant_id: UUID, refs: Sequence[PromptRef], draws: Sequence[UUID]) -> Pins:
    """Three statements for all. What a draw decides is which variant of a split label a reference without a subject gets."""
    chosen = await _chosen(connection, tenant_id, refs, draws)
    wanted = [(ref.name, version) for ref, version in zip(refs, chosen, strict=True) if version is not None]
    found = await versions.find(connection, tenant_id, wanted)
    named = list({ref.name for ref in refs})
    own = {name for (name,) in await (await connection.execute(_KNOWN, (tenant_id, named))).fetchall()}
    return Pins([_pin(ref, version, found, own) for ref, version in zip(refs, chosen, strict=True)], found)


async def _chosen(
    connection: Connection, tenant_id: UUID, refs: Sequence[PromptRef], draws: Sequence[UUID]
) -> list[int | None]:
    named = {
        "tenant_id": tenant_id,
        "names": [ref.name for ref in refs],
        "labels": [ref.label or PRODUCTION for ref in refs],
        "industries": [ref.industry or "" for ref in refs],
    }
    rows = await (await connection.execute(_LABELS, named)).fetchall()
    return [
        ref.version if ref.version is not None else _by_label(tenant_id, ref, draw, variants)
        for ref, draw, (variants,) in zip(refs, draws, rows, strict=True)
    ]


def _by_label(tenant_id: UUID, ref: PromptRef, draw: UUID, variants: list[dict[str, int]] | None) -> int | None:
    if variants is not None:
        return variant_for(tenant_id, ref, draw, [Variant.model_validate(one) for one in variants])
    label = ref.label or PRODUCTION
    industries: tuple[Industry | None, ...] = (ref.industry, None)
    came = (shipped_for(ref.name, label, industry) for industry in industries)
    return next((version.version for version in came if version is not None), None)


def variant_for(tenant_id: UUID, ref: PromptRef, draw: UUID, variants: Sequence[Variant]) -> int:
    """The same for the same subject as long as the variants stay, and for most subjects when only a share changes."""
    subject = str(draw) if ref.subject is None else f"subject {ref.subject}"
    text = f"{tenant_id} {ref.name} {ref.label or PRODUCTION} {subject}"
    share = int.from_bytes(sha256(text.encode()).digest()[:8]) % SHARES
    for variant in variants:
        share -= variant.percent * SHARES // 100
        if share < 0:
            return variant.version
    return variants[-1].version


def reason_of(missed: NotPinned) -> tuple[str, str]:
    """The field of the reference, as a pointer, and what is wrong with it."""
    ref = missed.ref
    match missed.reason:
        case Unpinned.PROMPT:
            return "/name", f"there is no prompt {ref.name!r}"
        case Unpinned.VERSION:
            return "/version", f"the prompt {ref.name!r} has no version {ref.version}"
        case Unpinned.LABEL:
            label = ref.label or PRODUCTION
            return (
                "/label",
                f"the label {label!r} of the prompt {ref.name!r} points nowhere: move it, or name a version",
            )


def _pin(ref: PromptRef, version: int | None, found: SealedVersions, own: set[str]) -> PromptRef | NotPinned:
    if ref.name not in own and ref.name not in shipped():
        return NotPinned(ref, Unpinned.PROMPT)
    if version is None:
        return NotPinned(ref, Unpinned.LABEL)
    if (ref.name, version) not in found and shipped_version(ref.name, version) is None:
        return NotPinned(ref, Unpinned.VERSION)
    label = ref.label or (PRODUCTION if ref.version is None else None)
    return ref.model_copy(update={"version": version, "label": label})
