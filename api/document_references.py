"""Pins the documents that commands refer to: each job keeps the version that it was accepted for."""

from collections.abc import Sequence
from typing import Any, TypeVar

from api.auth.permissions import check_documents
from api.endpoint import Call
from api.http import problems
from api.http.request_body import pointer_to
from infrastructure.postgres.documents.pinning import NotPinned, Unpinned, pin
from schemas.commands import Command
from schemas.document_references import references_in
from schemas.documents import DocumentRef
from schemas.problems import FieldProblem

C = TypeVar("C", bound=Command)

REASONS = {
    Unpinned.MISSING: "there is no such document or version, or it was deleted",
    Unpinned.IMPORTING: "it is still being imported: send this again once it is",
    Unpinned.FAILED: "it couldn't be imported and so has no text; its version says why",
}


async def pinned(call: Call[Any, Any], command: C, place: Sequence[str | int] = ()) -> C:
    """The command with the versions that its documents have now. Raises a Refusal with pointers below `place` when it may
    not read one (403), one isn't there or has no text (422), or is still being imported (409)."""
    check_documents(call.principal, command)
    (outcome,) = await pinned_all(call, [command], [place])
    if isinstance(outcome, problems.Refusal):
        raise outcome
    return outcome


async def pinned_all(
    call: Call[Any, Any], commands: Sequence[C], places: Sequence[Sequence[str | int]]
) -> list[C | problems.Refusal]:
    """The same for many, with one question to PostgreSQL. What they may read was checked."""
    references = [references_in(command) for command in commands]
    refs = [ref for named in references for ref in named.values()]
    if not refs:
        return [*commands]
    found = iter(await call.db.run(pin, refs))
    return [
        _with(command, {name: next(found) for name in named}, place)
        for command, named, place in zip(commands, references, places, strict=True)
    ]


def _with(command: C, found: dict[str, DocumentRef | NotPinned], place: Sequence[str | int]) -> C | problems.Refusal:
    missed = {name: one for name, one in found.items() if isinstance(one, NotPinned)}
    if not missed:
        return command.model_copy(update=found) if found else command
    errors = [
        FieldProblem(pointer=pointer_to([*place, name]), detail=REASONS[one.reason]) for name, one in missed.items()
    ]
    if all(one.reason is Unpinned.IMPORTING for one in missed.values()):
        return problems.document_importing(errors)
    return problems.invalid_fields(errors)
