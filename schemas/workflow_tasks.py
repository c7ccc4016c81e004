"""Validates a definition's tasks: their kinds exist, and their parameters fit the commands.

Separate from `schemas.workflow`, since the catalogue imports that module.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import ValidationError

from schemas.ai import GenerateDocument
from schemas.catalogue import COMMANDS
from schemas.commands import Command
from schemas.document_references import document_fields
from schemas.problems import FieldProblem, Problem
from schemas.workflow import Definition, RunWorkflowStep, Task

MAX_ERRORS = 50


def task_problem(definition: Definition) -> Problem | None:
    """The problem of a definition with invalid tasks; None when all are valid. Pointers start at `RunWorkflowStep`'s root.

    Check before submitting. The handler checks again, but by then the client has a job that fails.
    """
    found = (
        error
        for name, state in definition.states.items()
        if isinstance(state, Task)
        for error in _errors_of(f"/definition/States/{_escaped(name)}", state)
    )
    errors = tuple(islice(found, MAX_ERRORS))
    if not errors:
        return None
    return Problem.of("definition-invalid", "A task of the workflow can't be run", 422, errors=errors)


def kinds_of(definition: Definition) -> frozenset[str]:
    """The kinds of job that the workflow submits. A principal that starts it needs the scope of each."""
    return frozenset(state.kind for state in definition.states.values() if isinstance(state, Task))


def reads_documents(definition: Definition) -> bool:
    """Whether a task may refer to a stored document: it says so, or gets its fields from the workflow's data."""
    return any(isinstance(state, Task) and _may_refer(state) for state in definition.states.values())


def stores_documents(definition: Definition) -> bool:
    """Whether a task may store a document: it says so, or gets its fields from the workflow's data."""
    return any(
        isinstance(state, Task)
        and state.kind == GenerateDocument.kind
        and (state.parameters is None or not {"store", "store.$"}.isdisjoint(state.parameters))
        for state in definition.states.values()
    )


def _may_refer(task: Task) -> bool:
    fields = document_fields(COMMANDS[task.kind]) if task.kind in COMMANDS else ()
    given = {name.removesuffix(".$") for name in task.parameters or ()}
    return bool(fields) and (task.parameters is None or not given.isdisjoint(fields))


def _errors_of(place: str, task: Task) -> Iterator[FieldProblem]:
    if task.kind == RunWorkflowStep.kind:
        yield FieldProblem(pointer=f"{place}/Resource", detail="a workflow can't start another workflow yet")
    elif task.kind not in COMMANDS:
        known = ", ".join(kind for kind in COMMANDS if kind != RunWorkflowStep.kind)
        yield FieldProblem(pointer=f"{place}/Resource", detail=f"there is no such kind of job; known are {known}")
    elif task.parameters is not None:
        yield from _misfits(f"{place}/Parameters", COMMANDS[task.kind], task.parameters)


def _misfits(place: str, command: type[Command], template: dict[str, Any]) -> Iterator[FieldProblem]:
    # Values from a path are known only when the step runs; names and literal values can be checked now.
    pathless = {name: value for name, value in template.items() if not _has_path(name, value)}
    given = {name.removesuffix(".$") for name in template}
    try:
        command.model_validate(pathless)
    except ValidationError as error:
        for line in error.errors(include_url=False, include_input=False):
            # A document that a path names may be in the place of what is missing.
            if line["type"] == "missing" and len(line["loc"]) == 1 and {*line["loc"], "document"} & given:
                continue
            if line["loc"] or given == pathless.keys():
                yield FieldProblem(pointer="/".join([place, *map(_escaped, line["loc"])]), detail=line["msg"])
    for name in given - pathless.keys() - command.model_fields.keys():
        yield FieldProblem(pointer=f"{place}/{_escaped(name + '.$')}", detail=f"{command.kind} has no field {name}")


def _has_path(name: str, value: Any) -> bool:
    if name.endswith(".$"):
        return True
    if isinstance(value, dict):
        return any(_has_path(inner_name, inner) for inner_name, inner in value.items())
    return isinstance(value, list) and any(_has_path("", inner) for inner in value)


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
