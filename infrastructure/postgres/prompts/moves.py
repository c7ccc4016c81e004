"""Moves a label, unless the prompt's tests forbid it."""

from dataclasses import dataclass
from uuid import UUID

from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from infrastructure.postgres.prompts import golden_tests, labels, versions
from infrastructure.postgres.prompts.additions import NoSuchPrompt, find_locked
from infrastructure.postgres.prompts.golden_tests import Verdict
from infrastructure.postgres.prompts.labels import Move
from infrastructure.postgres.session import Connection
from infrastructure.prompts.shipped import shipped_version
from schemas.ai.labels import LabelMove, PromptLabelState
from schemas.ai.prompts import Industry


@dataclass(frozen=True, slots=True)
class Moved:
    state: PromptLabelState
    edition: str


@dataclass(frozen=True, slots=True)
class NoSuchVersion:
    places: tuple[int, ...]
    """Of the variants."""


@dataclass(frozen=True, slots=True)
class OfSeveralIndustries:
    """Its versions aren't all of one industry, or all base versions."""


@dataclass(frozen=True, slots=True)
class Untested:
    """Versions that the present tests weren't run on, or that didn't pass them, by their places among the variants."""

    reasons: dict[int, Verdict | None]


@dataclass(frozen=True, slots=True)
class MovedMeanwhile:
    edition: str


@dataclass(frozen=True, slots=True)
class TooManyLabels:
    """The prompt has as many as it may have."""


Outcome = Moved | NoSuchPrompt | NoSuchVersion | OfSeveralIndustries | Untested | MovedMeanwhile | TooManyLabels


async def move_label(
    connection: Connection,
    tenant_id: UUID,
    name: str,
    label: str,
    wanted: LabelMove,
    *,
    by: str,
    precondition: Precondition = UNCONDITIONAL,
) -> Outcome:
    """Where the label points now. Moving it to where it points already adds nothing. Call it in a transaction. Raises
    QuotaExceeded and TenantSuspended."""
    if await find_locked(connection, tenant_id, name) is None:
        return NoSuchPrompt()
    before = await labels.states(connection, tenant_id, name)
    of_label = [one for one in before if one.label == label]
    if not precondition.met_by(labels.edition(of_label) if of_label else None):
        return MovedMeanwhile(labels.edition(of_label))
    industries = await _industries(connection, tenant_id, name, wanted)
    if unknown := tuple(place for place, (is_known, _) in enumerate(industries) if not is_known):
        return NoSuchVersion(unknown)
    if len({industry for _, industry in industries}) > 1:
        return OfSeveralIndustries()
    move = Move(name, label, industries[0][1], wanted.variants, by, wanted.because)
    present = next((one for one in of_label if one.industry == move.industry), None)
    if present is not None and present.variants == move.variants:
        return Moved(present, labels.edition(of_label))
    if not of_label and len({one.label for one in before}) >= labels.MAX_LABELS:
        return TooManyLabels()
    if reasons := await _untested(connection, tenant_id, move):
        return Untested(reasons)
    state = await labels.move(connection, tenant_id, move)
    after = await labels.states(connection, tenant_id, name, label)
    return Moved(state, labels.edition(after))


async def _industries(
    connection: Connection, tenant_id: UUID, name: str, wanted: LabelMove
) -> list[tuple[bool, Industry | None]]:
    """Of each variant: whether there is such a version, and its industry."""
    numbers = [one.version for one in wanted.variants]
    found = await versions.find(connection, tenant_id, [(name, number) for number in numbers])
    known = (found.get((name, number)) or shipped_version(name, number) for number in numbers)
    return [(one is not None, None if one is None else one.industry) for one in known]


async def _untested(connection: Connection, tenant_id: UUID, move: Move) -> dict[int, Verdict | None]:
    """A version that the label pointed to before needs no test: whoever moves back is in a hurry."""
    tests = golden_tests.that_apply(await golden_tests.all_tests(connection, tenant_id, move.name), move.industry)
    if not tests:
        return {}
    before = await labels.pointed_to_before(connection, tenant_id, move)
    new = {place: one.version for place, one in enumerate(move.variants) if one.version not in before}
    found = await golden_tests.verdicts(connection, tenant_id, move.name, list(new.values()), tests)
    verdicts = {place: found.get(version) for place, version in new.items()}
    return {place: verdict for place, verdict in verdicts.items() if verdict is None or not verdict.passed}
