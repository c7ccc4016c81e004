"""Pins the prompts that commands name, and checks what they are to be filled with, when jobs are accepted."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from api.endpoint import Call
from api.http import problems
from api.http.request_body import pointer_to
from infrastructure.ports import Refused
from infrastructure.postgres.prompts import pinning
from infrastructure.postgres.prompts.pinning import NotPinned, Pins, reason_of
from infrastructure.postgres.prompts.versions import WholeVersion, whole_version
from infrastructure.prompts.variables import flaws_in
from schemas.ai import GenerateDocument
from schemas.ai.prompts import PromptRef, RenderedPrompt
from schemas.commands import Command
from schemas.problems import FieldProblem

C = TypeVar("C", bound=Command)


async def pinned_prompts(
    call: Call[Any, Any], commands: Sequence[C | problems.Refusal], places: Sequence[Sequence[str | int]]
) -> list[C | problems.Refusal]:
    """The commands with their prompts' versions, or a Refusal (422) with pointers below its place where there is no such
    prompt, version or label, or the facts don't fit its variables. One question to PostgreSQL for all."""
    named = {number: ref for number, one in enumerate(commands) if (ref := _prompt_of(one)) is not None}
    if not named:
        return [*commands]
    pins = await pin(call, list(named.values()))
    wholes: dict[tuple[str, int], WholeVersion] = {}
    outcomes = [*commands]
    for number, pinned in zip(named, pins.refs, strict=True):
        outcomes[number] = await _with(call, commands[number], pinned, pins, wholes, places[number])
    return outcomes


async def pin(call: Call[Any, Any], refs: Sequence[PromptRef]) -> Pins:
    draws: list[UUID] = [uuid7() for _ in refs]
    return await call.db.run(pinning.pin, refs, draws)


def _prompt_of(command: Command | problems.Refusal) -> PromptRef | None:
    return command.prompt if isinstance(command, GenerateDocument) else None


async def _with(
    call: Call[Any, Any],
    command: C | problems.Refusal,
    ref: PromptRef | NotPinned,
    pins: Pins,
    wholes: dict[tuple[str, int], WholeVersion],
    place: Sequence[str | int],
) -> C | problems.Refusal:
    assert isinstance(command, GenerateDocument), "only these name prompts"
    below = pointer_to([*place])
    if isinstance(ref, NotPinned):
        pointer, detail = reason_of(ref)
        return problems.invalid_fields([FieldProblem(pointer=f"{below}/prompt{pointer}", detail=detail)])
    whole = await _whole(call, ref, pins, wholes)
    if flaws := flaws_in(command.facts, whole.content):
        return problems.invalid_fields(
            [FieldProblem(pointer=f"{below}/facts{one.pointer}", detail=one.detail) for one in flaws]
        )
    return command.model_copy(update={"prompt": ref})


async def _whole(
    call: Call[Any, Any], ref: PromptRef, pins: Pins, wholes: dict[tuple[str, int], WholeVersion]
) -> WholeVersion:
    """Opened once, however many commands of a batch name it."""
    assert ref.version is not None, "it is pinned"
    if (known := wholes.get((ref.name, ref.version))) is not None:
        return known
    found = await whole_version(call.ingress.sealer, call.tenant_id, pins.found, ref.name, ref.version)
    assert found is not None, "it was found when it was pinned"
    wholes[ref.name, ref.version] = found
    return found


async def rendered_for(call: Call[Any, Any], command: GenerateDocument) -> RenderedPrompt:
    """The pinned command's prompt, filled with its facts. Raises a Refusal when that can't be done."""
    assert command.prompt is not None
    pins = await pin(call, [command.prompt])
    whole = await _whole(call, command.prompt, pins, {})
    return await asyncio.to_thread(_filled, whole, command)


def _filled(whole: WholeVersion, command: GenerateDocument) -> RenderedPrompt:
    # Liquid is imported by whoever first needs it.
    from infrastructure.prompts.rendering import rendered

    try:
        said = {"title": command.title, "language": command.language.value, "tone": command.tone.value}
        return rendered(whole.version, whole.content, command.facts | said, place="/command/facts").prompt
    except Refused as refused:
        raise problems.Refusal(refused.problem) from None
