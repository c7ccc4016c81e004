"""Workflow definitions in a subset of the Amazon States Language, the command that runs one, and instances.

Anything outside the subset is rejected by name, never ignored. Specification: https://states-language.net
"""

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_pascal
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.bounds import MAX_FREE_LEVELS
from schemas.commands import Command
from schemas.model import FreeJson, Model
from schemas.problems import Problem

MAX_STATES = 100
MAX_RULES = 20
MAX_TEMPLATE_LEVELS = 32
JOB_RESOURCE = "urn:bucatini:job:"

_PATH = re.compile(r"""\$(?:\.[A-Za-z_][\w-]*|\['[^'\\]+'\]|\[\d{1,4}\])*""")
_PATH_STEP = re.compile(r"""\.([\w-]+)|\['([^']+)'\]|\[(\d+)\]""")

Step = str | int


def path_steps(path: str) -> tuple[Step, ...]:
    """The names and positions a reference path goes through: `$.parties[0].name` is ("parties", 0, "name")."""
    return tuple(int(index) if index else plain or quoted for plain, quoted, index in _PATH_STEP.findall(path))


def _checked_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError("a path looks like $, $.name, $['any name'] or $.list[0]")
    return path


def _checked_result_path(path: str) -> str:
    steps = path_steps(path)
    if any(isinstance(step, int) for step in steps):
        raise ValueError("a result can be put under a name only, such as $.extracted")
    if len(steps) > MAX_FREE_LEVELS:
        raise ValueError(f"a result can be put at most {MAX_FREE_LEVELS} levels deep")
    return path


def _checked_template(template: dict[str, FreeJson]) -> dict[str, FreeJson]:
    unread: list[tuple[Any, int]] = [(template, 1)]
    while unread:
        part, level = unread.pop()
        if level > MAX_TEMPLATE_LEVELS:
            raise ValueError(f"the template is nested deeper than {MAX_TEMPLATE_LEVELS} levels")
        for name, value in part.items() if isinstance(part, dict) else ():
            if name.endswith(".$") and not (isinstance(value, str) and _PATH.fullmatch(value)):
                raise ValueError(f"{name} must be a path such as $.name or $.list[0]")
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        unread.extend((value, level + 1) for value in inner)
    return template


StateName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
Path = Annotated[str, Field(max_length=500), AfterValidator(_checked_path)]
ResultPath = Annotated[Path, AfterValidator(_checked_result_path)]
Template = Annotated[dict[str, FreeJson], AfterValidator(_checked_template)]
"""JSON in which a field whose name ends in `.$` takes its value from the path it gives."""
Comment = Annotated[str, Field(max_length=1_000)]


class StatesLanguage(Model):
    """Base of the definition models, with the field names of the States Language: `StartAt`, `ResultPath`."""

    model_config = ConfigDict(alias_generator=to_pascal, serialize_by_alias=True)

    comment: Comment | None = None


class _Continuing(StatesLanguage):
    next: StateName | None = None
    end: Literal[True] | None = None

    @model_validator(mode="after")
    def _goes_on_or_ends(self) -> Self:
        if (self.next is None) == (self.end is None):
            raise ValueError('a state has either "Next" or "End": true')
        return self

    @property
    def followers(self) -> tuple[tuple[tuple[Step, ...], str], ...]:
        return () if self.next is None else ((("Next",), self.next),)


class Task(_Continuing):
    """Runs a job of another capability and waits for it to end."""

    type: Literal["Task"]
    resource: Annotated[str, Field(pattern=rf"^{JOB_RESOURCE}[a-z]+\.[a-z_]+$")]
    """`urn:bucatini:job:` and the job's kind."""
    parameters: Template | None = None
    """The command's fields; the whole input if not given."""
    result_path: ResultPath | None = "$"
    """Where the result goes in the data. It replaces the data if not given; null drops the result."""

    @property
    def kind(self) -> str:
        return self.resource.removeprefix(JOB_RESOURCE)


class Pass(_Continuing):
    """Transforms the data without running a job."""

    type: Literal["Pass"]
    result: FreeJson = None
    parameters: Template | None = None
    result_path: ResultPath | None = "$"


class Rule(StatesLanguage):
    """One comparison of the value at `Variable`, and the next state when it is true."""

    variable: Path
    next: StateName
    string_equals: str | None = None
    numeric_equals: float | None = None
    numeric_less_than: float | None = None
    numeric_less_than_equals: float | None = None
    numeric_greater_than: float | None = None
    numeric_greater_than_equals: float | None = None
    boolean_equals: bool | None = None
    is_present: bool | None = None
    is_null: bool | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        if len(self.comparisons) != 1:
            raise ValueError("a rule has exactly one comparison, such as StringEquals")
        return self

    @property
    def comparisons(self) -> dict[str, Any]:
        others = {"variable", "next", "comment"}
        return {name: value for name, value in self if name not in others and value is not None}


class Choice(StatesLanguage):
    """Continues with the state of its first rule that is true, else with `Default`."""

    type: Literal["Choice"]
    choices: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)]
    default: StateName | None = None

    @property
    def followers(self) -> tuple[tuple[tuple[Step, ...], str], ...]:
        rules = tuple((("Choices", index, "Next"), rule.next) for index, rule in enumerate(self.choices))
        return rules if self.default is None else (*rules, (("Default",), self.default))


class _Ending(StatesLanguage):
    @property
    def followers(self) -> tuple[tuple[tuple[Step, ...], str], ...]:
        return ()


class Succeed(_Ending):
    type: Literal["Succeed"]


class Fail(_Ending):
    type: Literal["Fail"]
    error: Annotated[str, Field(max_length=200)] = ""
    cause: Annotated[str, Field(max_length=1_000)] = ""


State = Annotated[Task | Pass | Choice | Succeed | Fail, Field(discriminator="type")]


class Definition(StatesLanguage):
    """A workflow. Rejected unless every state can be reached and can reach an end."""

    start_at: StateName
    states: Annotated[dict[StateName, State], Field(min_length=1, max_length=MAX_STATES)]
    query_language: Literal["JSONPath"] = "JSONPath"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        flaws = [*self._unknown_names()] or [*self._dead_ends()]
        if flaws:
            raise ValidationError.from_exception_data("Definition", flaws)
        return self

    def _unknown_names(self) -> Iterator[InitErrorDetails]:
        if self.start_at not in self.states:
            yield _flaw(("StartAt",), "there is no state of this name")
        for name, state in self.states.items():
            for place, follower in state.followers:
                if follower not in self.states:
                    yield _flaw(("States", name, *place), "there is no state of this name")

    def _dead_ends(self) -> Iterator[InitErrorDetails]:
        before: dict[str, set[str]] = {name: set() for name in self.states}
        after: dict[str, set[str]] = {}
        for name, state in self.states.items():
            after[name] = {follower for _, follower in state.followers}
            for follower in after[name]:
                before[follower].add(name)
        reached = _closure({self.start_at}, after)
        ending = _closure({name for name in self.states if not after[name]}, before)
        for name in self.states:
            if name not in reached:
                yield _flaw(("States", name), "no way leads to this state")
            elif name not in ending:
                yield _flaw(("States", name), "no way leads from this state to an end")


def _closure(start: set[str], edges: dict[str, set[str]]) -> set[str]:
    found, unread = set(start), list(start)
    while unread:
        fresh = edges[unread.pop()] - found
        found |= fresh
        unread.extend(fresh)
    return found


def _flaw(place: tuple[Step, ...], message: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("unsound_definition", message), loc=place, input=None)


class RunWorkflowStep(Command):
    """Starts an instance of the definition. The job's id is the instance's id; the job runs once for each step and
    waits for the step's job in between."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "definition": {
                        "StartAt": "Read",
                        "States": {
                            "Read": {
                                "Type": "Task",
                                "Resource": "urn:bucatini:job:ai.process_document",
                                "Parameters": {"title": "Lease", "text.$": "$.text"},
                                "End": True,
                            }
                        },
                    },
                    "input": {"text": "This Lease is made on 3 March 2026."},
                }
            ]
        }
    )

    kind: ClassVar[str] = "workflow.run_step"
    queue: ClassVar[str] = "workflow"
    route: ClassVar[str | None] = "/api/workflow/start"
    time_limit_seconds: ClassVar[float] = 60.0

    definition: Definition
    input: FreeJson = Field(default_factory=dict)
    """The initial data, which paths in the first state see as `$`."""


class InstanceStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class StepTaken(Model):
    state: str
    job_id: UUID | None = None
    """The job that a Task ran; None for other states."""


class InstanceState(Model):
    """The progress of an instance."""

    status: InstanceStatus
    state: str
    """The current state, or the one it ended in."""
    data: FreeJson
    """The data that the current state sees as `$`; the output once it has succeeded."""
    steps: tuple[StepTaken, ...]
    problem: Problem | None = None


class WorkflowInstance(InstanceState):
    """The current state of an instance."""

    id: UUID
    version: int
    """Incremented by every change."""
    created_at: datetime
    updated_at: datetime
