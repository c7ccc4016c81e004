"""Who may act on which kind of job, however it is asked for: by a submission, a workflow's task, a replay, a schedule or a
cancel."""

from typing import Any

from pydantic import ValidationError

from api.auth.principal import Principal, Scope, allows
from api.http import problems
from schemas.catalogue import UnknownKind, command_of
from schemas.commands import Command
from schemas.keys import RotateKeys
from schemas.workflow import RunWorkflowStep
from schemas.workflow_tasks import kinds_of

_MORE_THAN_JOBS_WRITE = {RotateKeys.kind: Scope.KEYS_WRITE}


def check_permissions(principal: Principal, kind: str, command: Command | None) -> None:
    """Refuses when the key may not submit such a job, or one that the command would start. `command` is None where it
    can't be read any more."""
    started = kinds_of(command.definition) if isinstance(command, RunWorkflowStep) else frozenset()
    for one in sorted({kind, *started}):
        needed = _MORE_THAN_JOBS_WRITE.get(one, Scope.JOBS_WRITE)
        if not allows(principal, needed):
            raise problems.scope_missing(needed)


def check_permissions_to_act(principal: Principal, kind: str, fields: dict[str, Any]) -> None:
    """Refuses when the key may not submit what stands there as a job or a schedule: then it may not end, pause or change
    it either."""
    try:
        command = command_of(kind, fields)
    except (UnknownKind, ValidationError):
        command = None  # Another release wrote it. What its kind needs is known all the same.
    check_permissions(principal, kind, command)


def kinds_beyond(principal: Principal) -> tuple[str, ...]:
    """Kinds the key may not have run without a look at each job: those it may not submit, and those that start others."""
    beyond = [kind for kind, needed in _MORE_THAN_JOBS_WRITE.items() if not allows(principal, needed)]
    return (*beyond, RunWorkflowStep.kind) if beyond else ()
