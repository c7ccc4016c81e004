"""The workflow reducer: pure functions from a definition, an instance's state and an ended task to the next state.

A stored state either waits for a task or has ended. The next effect follows from it alone, so a handler that runs again
after a crash returns the same one.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never
from uuid import UUID

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from schemas.bounds import MAX_FREE_LEVELS, MAX_FREE_VALUES, too_deep, too_many_values
from schemas.catalogue import command_of
from schemas.commands import Command
from schemas.problems import FieldProblem, Problem
from schemas.workflow import (
    Choice,
    Definition,
    Fail,
    InstanceState,
    InstanceStatus,
    Pass,
    Rule,
    StepTaken,
    Succeed,
    Task,
)
from workers.workflow.paths import PathNotFound, TooLarge, fill, look_up, put

MAX_STEPS = 250
MAX_DATA_BYTES = 256_000
MAX_COMMAND_BYTES = 1_000_000
"""The limit of a task's filled parameters: the longest document a job takes, in 4-byte characters."""


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    job_id: UUID
    result: JsonValue


@dataclass(frozen=True, slots=True)
class TaskFailed:
    job_id: UUID
    problem: Problem


TaskEnded = TaskSucceeded | TaskFailed


@dataclass(frozen=True, slots=True)
class RunTask:
    command: Command


@dataclass(frozen=True, slots=True)
class Complete:
    output: JsonValue


@dataclass(frozen=True, slots=True)
class GiveUp:
    problem: Problem


Effect = RunTask | Complete | GiveUp


def begin(definition: Definition, data: JsonValue) -> InstanceState:
    """A new instance, advanced to its first task or its end."""
    start = InstanceState(status=InstanceStatus.RUNNING, state=definition.start_at, data=data, steps=())
    return _run_on(definition, _sized(start))


def advance(definition: Definition, instance: InstanceState, ended: TaskEnded) -> InstanceState:
    """The instance after the task it waited for, advanced to its next task or its end."""
    task = _awaited(definition, instance)
    taken = instance.model_copy(
        update={"steps": (*instance.steps, StepTaken(state=instance.state, job_id=ended.job_id))}
    )
    match ended:
        case TaskSucceeded(result=result):
            return _run_on(definition, _continue(taken, task, result))
        case TaskFailed(problem=problem):
            detail = f"Step '{instance.state}': {problem.detail or problem.title}"
            return _failed(taken, problem.model_copy(update={"detail": detail}))
        case _:
            assert_never(ended)


def effect_of(definition: Definition, instance: InstanceState) -> Effect:
    """The effect to run for an instance that `begin` or `advance` returned."""
    match instance.status:
        case InstanceStatus.SUCCEEDED:
            return Complete(instance.data)
        case InstanceStatus.FAILED:
            return GiveUp(instance.problem or _problem("workflow-failed", "The workflow failed", ""))
        case InstanceStatus.RUNNING:
            return RunTask(_command(_awaited(definition, instance), instance.data))
        case _:
            assert_never(instance.status)


def _awaited(definition: Definition, instance: InstanceState) -> Task:
    state = definition.states[instance.state]
    if isinstance(state, Task):
        return state
    raise AssertionError("a running instance waits for a task")


def _run_on(definition: Definition, instance: InstanceState) -> InstanceState:
    while instance.status is InstanceStatus.RUNNING:
        if len(instance.steps) >= MAX_STEPS:
            return _failed(instance, _problem("too-many-steps", f"The workflow took more than {MAX_STEPS} steps", ""))
        state = definition.states[instance.state]
        try:
            if isinstance(state, Task):
                _command(state, instance.data)
                return instance
            instance = _pass_through(state, instance)
        except PathNotFound as error:
            detail = f"Step '{instance.state}': {error}"
            return _failed(instance, _problem("path-not-found", "A step refers to data that isn't there", detail))
        except TooLarge as error:
            detail = f"Step '{instance.state}': {error}. Refer to less."
            return _failed(instance, _problem("data-too-large", "The data grew too large", detail))
        except ValidationError as error:
            return _failed(instance, _unfit(instance.state, error))
    return instance


def _pass_through(state: Pass | Choice | Succeed | Fail, instance: InstanceState) -> InstanceState:
    taken = instance.model_copy(update={"steps": (*instance.steps, StepTaken(state=instance.state))})
    match state:
        case Pass():
            return _continue(taken, state, _shaped(state, instance.data))
        case Choice():
            chosen = _chosen(state, instance.data)
            if chosen is None:
                detail = f"Step '{instance.state}': no rule holds, and there is no Default."
                return _failed(taken, _problem("no-choice-matched", "No choice fits the data", detail))
            return taken.model_copy(update={"state": chosen})
        case Succeed():
            return taken.model_copy(update={"status": InstanceStatus.SUCCEEDED})
        case Fail(error=name, cause=cause):
            return _failed(taken, _problem("workflow-failed", name or "The workflow failed", cause))
        case _:
            assert_never(state)


def _continue(instance: InstanceState, state: Task | Pass, result: JsonValue) -> InstanceState:
    try:
        data = put(instance.data, state.result_path, result)
    except PathNotFound as error:
        detail = f"Step '{instance.state}': {error}; a result is put into an object only."
        return _failed(instance, _problem("path-not-found", "A step refers to data that isn't there", detail))
    where = {"status": InstanceStatus.SUCCEEDED} if state.next is None else {"state": state.next}
    continued = instance.model_copy(update={"data": data, **where})
    return continued if data is instance.data else _sized(continued)


def _sized(instance: InstanceState) -> InstanceState:
    text = to_json(instance.data)
    if len(text) > MAX_DATA_BYTES:
        problem = _problem(
            "data-too-large",
            "The data grew too large",
            f"It has {len(text):,} bytes; at most {MAX_DATA_BYTES:,} go from step to step. Keep less with ResultPath.",
        )
    elif too_many_values(text, MAX_FREE_VALUES):
        problem = _problem(
            "data-too-large",
            "The data grew too large",
            f"It has more than {MAX_FREE_VALUES:,} values. Keep less with ResultPath.",
        )
    elif too_deep(text, MAX_FREE_LEVELS):
        problem = _problem(
            "data-too-deep",
            "The data grew too deep",
            f"It has more than {MAX_FREE_LEVELS} levels of objects and arrays. Put results next to each other.",
        )
    else:
        return instance
    return _failed(instance.model_copy(update={"data": None}), problem)


def _command(task: Task, data: JsonValue) -> Command:
    fields = data if task.parameters is None else fill(dict(task.parameters), data, max_bytes=MAX_COMMAND_BYTES)
    return command_of(task.kind, fields)


def _shaped(state: Pass, data: JsonValue) -> JsonValue:
    if state.result is not None:
        return state.result
    return data if state.parameters is None else fill(dict(state.parameters), data, max_bytes=MAX_DATA_BYTES)


def _chosen(choice: Choice, data: JsonValue) -> str | None:
    return next((rule.next for rule in choice.choices if _holds(rule, data)), choice.default)


def _holds(rule: Rule, data: JsonValue) -> bool:
    ((comparison, wanted),) = rule.comparisons.items()
    if comparison == "is_present":
        return _is_present(data, rule.variable) is wanted
    return _compares(comparison, look_up(data, rule.variable), wanted)


def _is_present(data: JsonValue, path: str) -> bool:
    try:
        look_up(data, path)
    except PathNotFound:
        return False
    return True


def _compares(comparison: str, value: JsonValue, wanted: Any) -> bool:
    """Whether the comparison holds; False when the value has another type than the comparison is for."""
    if comparison == "is_null":
        return (value is None) is bool(wanted)
    if comparison in _NUMERIC:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and _NUMERIC[comparison](value, wanted)
    return type(value) is type(wanted) and bool(value == wanted)


_NUMERIC: dict[str, Callable[[Any, float], bool]] = {
    "numeric_equals": operator.eq,
    "numeric_less_than": operator.lt,
    "numeric_less_than_equals": operator.le,
    "numeric_greater_than": operator.gt,
    "numeric_greater_than_equals": operator.ge,
}


def _failed(instance: InstanceState, problem: Problem) -> InstanceState:
    return instance.model_copy(update={"status": InstanceStatus.FAILED, "problem": problem})


def _unfit(state: str, error: ValidationError) -> Problem:
    found = error.errors(include_url=False, include_input=False)[:20]
    errors = tuple(FieldProblem(pointer="".join(f"/{part}" for part in one["loc"]), detail=one["msg"]) for one in found)
    detail = f"Step '{state}': the fields made for its job don't fit it."
    return _problem("step-invalid", "A step can't be run with its data", detail, errors)


def _problem(name: str, title: str, detail: str, errors: tuple[FieldProblem, ...] = ()) -> Problem:
    return Problem.of(name, title, 422, detail, errors=errors)
