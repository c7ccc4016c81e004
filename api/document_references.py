"""Pins what commands refer to, documents and prompts: each job keeps the versions that it was accepted for."""

from collections.abc import Sequence
from typing import Any, TypeVar

from api.auth.permissions import check_documents
from api.endpoint import Call
from api.extraction_schemas import with_usable_schema
from api.http import problems
from api.http.request_body import pointer_to
from api.model_references import with_known_models
from api.prompt_references import pinned_prompts
from infrastructure.postgres.documents.pinning import NotPinned, Unpinned, pin
from schemas.commands import Command
from schemas.document_references import Place, references_in, with_references
from schemas.documents import DocumentRef
from schemas.problems import FieldProblem

C = TypeVar("C", bound=Command)

REASONS = {
    Unpinned.MISSING: "there is no such document or version, or it was deleted",
    Unpinned.IMPORTING: "it is still being imported: send this again once it is",
    Unpinned.FAILED: "it couldn't be imported and so has no text; its version says why",
}


async def pinned(call: Call[Any, Any], command: C, place: Sequence[str | int] = ()) -> C:
    """The command with the versions that its documents and its prompt have now. Raises a Refusal with pointers below `place`
    when it may not read a document (403), something isn't there, has no text, can't be filled with the facts, or is no known
    model (422), or a document is still being imported (409)."""
    check_documents(call.principal, command)
    (outcome,) = await pinned_all(call, [command], [place])
    if isinstance(outcome, problems.Refusal):
        raise outcome
    return outcome


async def pinned_all(
    call: Call[Any, Any], commands: Sequence[C], places: Sequence[Sequence[str | int]]
) -> list[C | problems.Refusal]:
    """The same for many, with one question for all documents and one for all prompts. What they may read was checked."""
    usable = [with_usable_schema(one, place) for one, place in zip(commands, places, strict=True)]
    known = await with_known_models(call, usable, places)
    return await pinned_prompts(call, await _pinned_documents(call, known, places), places)


async def _pinned_documents(
    call: Call[Any, Any], commands: Sequence[C | problems.Refusal], places: Sequence[Sequence[str | int]]
) -> list[C | problems.Refusal]:
    references = [{} if isinstance(one, problems.Refusal) else references_in(one) for one in commands]
    refs = [ref for named in references for ref in named.values()]
    if not refs:
        return [*commands]
    found = iter(await call.db.run(pin, refs))
    return [
        command
        if isinstance(command, problems.Refusal)
        else _with(command, {where: next(found) for where in named}, place)
        for command, named, place in zip(commands, references, places, strict=True)
    ]


def _with(command: C, found: dict[Place, DocumentRef | NotPinned], place: Sequence[str | int]) -> C | problems.Refusal:
    missed = {where: one for where, one in found.items() if isinstance(one, NotPinned)}
    if not missed:
        pins = {where: one for where, one in found.items() if isinstance(one, DocumentRef)}
        return with_references(command, pins) if pins else command
    errors = [
        FieldProblem(pointer=pointer_to([*place, *where]), detail=REASONS[one.reason]) for where, one in missed.items()
    ]
    if all(one.reason is Unpinned.IMPORTING for one in missed.values()):
        return problems.document_importing(errors)
    return problems.invalid_fields(errors)
