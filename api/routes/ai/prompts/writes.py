"""Makes prompts and adds versions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from uuid_utils.compat import uuid7

from api.endpoint import Call, Empty
from api.http import problems, prompt_problems
from api.http.responses import Answer, json_answer
from api.routes.ai.prompts.addressing import PATH, WHAT, doer, found_version, precondition_of
from api.routes.ai.prompts.reads import existing
from infrastructure.key_vault.cells import prompt_version_cell
from infrastructure.postgres.keys.sealing import write_sealed
from infrastructure.postgres.prompts import additions, labels
from infrastructure.postgres.prompts.additions import (
    Added,
    NameTaken,
    NewVersion,
    NoSuchPrompt,
    NotAsExpected,
    Unchanged,
)
from infrastructure.postgres.prompts.labels import Move
from infrastructure.postgres.session import Connection
from infrastructure.prompts.digests import digest_of, written
from schemas.ai.labels import Variant
from schemas.ai.prompts import PRODUCTION, Industry, NewPrompt, NewPromptVersion, PromptContent, PromptVersion
from schemas.problems import FieldProblem

T = TypeVar("T")

FIRST = "its first version"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A version that was checked."""

    new: NewVersion
    content: PromptContent


async def create_prompt(call: Call[NewPrompt, Empty]) -> Answer:
    """201 with the prompt, whose `production` points to its first version."""
    body, tenant_id = call.body, call.tenant_id
    wanted = _wanted(call, body.name, body.content, None, None, "")
    await _check(call, body.content, None)

    async def add(connection: Connection, content: bytes) -> Added | NameTaken:
        outcome = await additions.add_prompt(connection, tenant_id, body.description, wanted.new, content)
        if isinstance(outcome, Added):
            variants = (Variant(version=outcome.version, percent=100),)
            await labels.move(connection, tenant_id, Move(body.name, PRODUCTION, None, variants, doer(call), FIRST))
        return outcome

    match await _stored(call, wanted, add):
        case NameTaken():
            raise prompt_problems.prompt_name_taken(body.name)
        case Added(version):
            return await _answer(call, 201, body.name, version)


async def add_version(call: Call[NewPromptVersion, Empty]) -> Answer:
    """201 with the version; 200 when the newest one of its industry says the same."""
    name, body, tenant_id, precondition = call.path["name"], call.body, call.tenant_id, precondition_of(call)
    await existing(call)
    base = await _base_of(call)
    number = None if base is None else base.version
    await _check(call, body.content, None if base is None else base.content)
    wanted = _wanted(call, name, body.content, body.industry, number, body.note)

    async def add(connection: Connection, content: bytes) -> Added | Unchanged | NoSuchPrompt | NotAsExpected:
        return await additions.add_version(connection, tenant_id, wanted.new, content, precondition)

    match await _stored(call, wanted, add):
        case NoSuchPrompt():
            raise problems.not_found(WHAT)
        case NotAsExpected(newest):
            raise prompt_problems.prompt_changed(f'"{newest}"')
        case Added(version):
            return await _answer(call, 201, name, version)
        case Unchanged(version):
            return await _answer(call, 200, name, version)


async def _base_of(call: Call[NewPromptVersion, Empty]) -> PromptVersion | None:
    """The version that a new overlay changes. Raises a Refusal (422) when there is none such."""
    body = call.body
    if body.industry is None:
        if body.base is not None:
            raise _invalid("/base", "is for overlays, which have an `industry`")
        return None
    number = body.base or await call.db.run(labels.base_for_overlay, call.path["name"])
    if number is None:
        raise _invalid("/base", "the prompt has no base version; add one first")
    try:
        base = await found_version(call, call.path["name"], number)
    except problems.Refusal:
        raise _invalid("/base", f"the prompt has no version {number}") from None
    if base.industry is not None:
        raise _invalid("/base", f"version {number} is an overlay itself, for {base.industry}")
    return base


def _invalid(pointer: str, detail: str) -> problems.Refusal:
    return problems.invalid_fields([FieldProblem(pointer=pointer, detail=detail)])


async def _check(call: Call[Any, Any], content: PromptContent, base: PromptContent | None) -> None:
    """Raises a Refusal (422) at each flaw. In a thread, since it reads every template."""
    async with call.ingress.templates:
        flaws: Sequence[FieldProblem] = await asyncio.to_thread(_flaws_in, content, base)
    if flaws:
        raise problems.invalid_fields(
            [FieldProblem(pointer=f"/content{one.pointer}", detail=one.detail) for one in flaws]
        )


def _flaws_in(content: PromptContent, base: PromptContent | None) -> Sequence[FieldProblem]:
    # Liquid is imported by whoever first needs it.
    from infrastructure.prompts.checks import flaws_in_content

    return flaws_in_content(content, base)


def _wanted(
    call: Call[Any, Any], name: str, content: PromptContent, industry: Industry | None, base: int | None, note: str
) -> _Wanted:
    return _Wanted(NewVersion(name, industry, base, str(uuid7()), digest_of(content, base), note, doer(call)), content)


async def _stored(call: Call[Any, Any], wanted: _Wanted, write: Callable[[Connection, bytes], Awaitable[T]]) -> T:
    cell = prompt_version_cell(call.tenant_id, wanted.new.cell)
    return await write_sealed(call.ingress.pool, call.ingress.sealer, cell, written(wanted.content), write)


async def _answer(call: Call[Any, Any], status: int, name: str, number: int) -> Answer:
    version = await found_version(call, name, number)
    location = (b"location", f"{PATH}/{name}/versions/{number}".encode())
    return json_answer(status, version, location)
