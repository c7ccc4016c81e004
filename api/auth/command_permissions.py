"""Validates and authorizes commands that arrive inside another body: in a batch or a schedule."""

from typing import Any

from api.auth.permissions import check_documents
from api.auth.principal import Principal, Scope, allows
from api.http import problems
from api.http.request_body import pointer_to
from api.http.validation import model_of
from api.routes.workflow import check_start
from schemas.catalogue import COMMANDS
from schemas.commands import Command
from schemas.problems import FieldProblem
from schemas.workflow import RunWorkflowStep


def admitted(principal: Principal, kind: str, fields: Any, place: list[str | int]) -> Command:
    """The command, validated and authorized as its own endpoint would. Raises a Refusal with pointers below `place`, the
    part of the body that has the `kind` and the `command`."""
    if kind not in COMMANDS:
        detail = f"there is no such kind; known are {', '.join(COMMANDS)}"
        raise problems.invalid_fields([FieldProblem(pointer=pointer_to([*place, "kind"]), detail=detail)])
    scope = Scope(COMMANDS[kind].scope)
    if not allows(principal, scope):
        raise problems.scope_missing(scope)
    command = model_of(COMMANDS[kind], fields, [*place, "command"])
    check_documents(principal, command)
    if isinstance(command, RunWorkflowStep):
        try:
            check_start(principal, command)
        except problems.Refusal as refusal:
            raise _moved(refusal, pointer_to([*place, "command"])) from None
    return command


def _moved(refusal: problems.Refusal, base: str) -> problems.Refusal:
    """The same Refusal with its pointers prefixed by `base`, so that they start at the root of the outer body."""
    errors = tuple(FieldProblem(pointer=base + one.pointer, detail=one.detail) for one in refusal.problem.errors)
    return problems.Refusal(refusal.problem.model_copy(update={"errors": errors}), *refusal.headers)
