"""Checks that a principal may act on a kind of job: by submitting, replaying, scheduling or cancelling it, or as a workflow's
task."""

from typing import Any

from pydantic import ValidationError

from api.auth.principal import Principal, Scope, allows
from api.http import problems
from schemas.ai import GenerateDocument
from schemas.catalogue import COMMANDS, INTERNAL, UnknownKind, command_of
from schemas.commands import Command
from schemas.document_references import references_in
from schemas.workflow import RunWorkflowStep
from schemas.workflow_tasks import kinds_of, reads_documents, stores_documents


def check_permissions(principal: Principal, kind: str, command: Command | None) -> None:
    """Raises a Refusal (403) unless the principal may submit this kind, every kind that the command would start, read
    the documents that it refers to, and store those that it would.
    `command` is None if the stored one can't be parsed."""
    started = kinds_of(command.definition) if isinstance(command, RunWorkflowStep) else frozenset()
    for one in sorted({kind, *started}):
        needed = _scope_of(one)
        if not allows(principal, needed):
            raise problems.scope_missing(needed)
    check_documents(principal, command)


def check_documents(principal: Principal, command: Command | None) -> None:
    """Raises a Refusal (403) when the command refers to documents, which its job would read, and the principal may read
    none; and when its job would store one and the principal may not."""
    if command is None:
        return
    for touches, needed in (
        (_refers_to_documents(command), Scope.DOCUMENTS_READ),
        (_stores_documents(command), Scope.DOCUMENTS_WRITE),
    ):
        if touches and not allows(principal, needed):
            raise problems.scope_missing(needed)


def _stores_documents(command: Command) -> bool:
    if isinstance(command, RunWorkflowStep):
        return stores_documents(command.definition)
    return isinstance(command, GenerateDocument) and command.store is not None


def _refers_to_documents(command: Command) -> bool:
    if isinstance(command, RunWorkflowStep):
        return reads_documents(command.definition)
    return bool(references_in(command))


def check_permissions_to_act(principal: Principal, kind: str, fields: dict[str, Any]) -> None:
    """Raises a Refusal (403) unless the principal may submit the stored job or schedule. Without that right it may not
    cancel, pause or change it either."""
    try:
        command = command_of(kind, fields)
    except (UnknownKind, ValidationError):
        command = None  # Written by another release. The scope its kind needs is still known.
    check_permissions(principal, kind, command)


def kinds_beyond(principal: Principal) -> tuple[str, ...]:
    """Kinds that need a check of each job: those the principal may not submit, and workflows, which start other kinds."""
    beyond = [kind for kind in (*COMMANDS, *INTERNAL) if not allows(principal, _scope_of(kind))]
    return (*beyond, RunWorkflowStep.kind) if beyond else ()


def _scope_of(kind: str) -> Scope:
    known = COMMANDS.get(kind) or INTERNAL.get(kind)
    return Scope.JOBS_WRITE if known is None else Scope(known.scope)
