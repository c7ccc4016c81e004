"""`@job(...)`: a function and everything that its kind of job is, declared in one place."""

import inspect
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from operator import attrgetter
from types import NoneType, UnionType
from typing import (
    Any,
    Generic,
    Literal,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from pydantic import PydanticUserError
from pydantic_core import SchemaError

from events.catalogue import check_distinct, results_of
from events.envelope import DomainEvent
from infrastructure.settings import Settings
from kinds.run import AwaitChildren, Run, Then
from schemas.catalogue import CommandInvalid, check
from schemas.commands import Command, RetryPolicy

C = TypeVar("C", bound=Command)
R = TypeVar("R", bound=DomainEvent | AwaitChildren | Then | None)
D = TypeVar("D")
D_contra = TypeVar("D_contra")

Uses = Callable[[Settings], AbstractAsyncContextManager[D]]
"""Opens what functions depend on, such as a database or an HTTP client: once per worker, for all functions that name it."""

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SETS = frozenset(
    {
        "kind",
        "queue",
        "max_attempts",
        "retry",
        "time_limit_seconds",
        "needs_processor",
        "retention_hours",
        "result_ttl_seconds",
        "route",
        "scope",
    }
)
"""What `@job` may say for its command: each is an attribute of `Command`, described there."""


class JobInvalid(Exception):
    """A declaration can't work. The message names the function, and what to change."""


class JobFunction(Generic[C, R, D]):
    """A declared function: what `@job(...)` leaves in its module. `function` is the function as it was written."""

    def __init__(
        self,
        function: Callable[..., Any],
        uses: Uses[D] | None,
        at_most: int | None,
        records: tuple[type[DomainEvent], ...] = (),
    ) -> None:
        self.function = function
        self.uses = uses
        self.at_most = at_most
        self.records = records
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.is_async = inspect.iscoroutinefunction(function)
        command, self.answers = _signature_of(self)
        self.command: type[C] = command
        self.awaits_children = AwaitChildren in self.answers

    @property
    def results(self) -> tuple[type[DomainEvent], ...]:
        """The events that its jobs end with."""
        return tuple(answer for answer in self.answers if issubclass(answer, DomainEvent))

    @property
    def computes(self) -> bool:
        """Whether it runs in a child process, alone with its command."""
        return not self.is_async and self.command.needs_processor

    def __reduce__(self) -> tuple[Any, ...]:
        # By its name, as functions are pickled: a child process imports it.
        return _named, (self.function.__module__, self.function.__qualname__)

    def __repr__(self) -> str:
        return f"<job {self.command.kind}: {self.name}>"


class Declares(Protocol):
    """What may stand below `@job(...)`. A plain function runs in a thread."""

    @overload
    def __call__(self, function: Callable[[C, Run], Awaitable[R]], /) -> JobFunction[C, R, None]: ...
    @overload
    def __call__(self, function: Callable[[C, Run], R], /) -> JobFunction[C, R, None]: ...


class DeclaresWith(Protocol[D_contra]):
    """What may stand below `@job(uses=...)`: the third argument is what the context manager brings."""

    @overload
    def __call__(self, function: Callable[[C, Run, D_contra], Awaitable[R]], /) -> JobFunction[C, R, D_contra]: ...
    @overload
    def __call__(self, function: Callable[[C, Run, D_contra], R], /) -> JobFunction[C, R, D_contra]: ...


class DeclaresComputation(Protocol):
    """What may stand below `@job(needs_processor=True)`: it runs in another process, where only its command comes."""

    def __call__(self, function: Callable[[C], R], /) -> JobFunction[C, R, None]: ...


class JobSettings(TypedDict, total=False):
    """See the attributes of `Command` that have the same names."""

    queue: str
    max_attempts: int
    retry: RetryPolicy
    time_limit_seconds: float
    retention_hours: float
    result_ttl_seconds: float
    route: str
    scope: str
    at_most: int
    """The limit of concurrent runs of this kind in one worker process; other workers take the rest."""
    records: tuple[type[DomainEvent], ...]
    """The events that its function records on the way, with `run.record`. Those of `events` are declared already."""


@overload
def job(
    kind: str | None = None, *, needs_processor: Literal[True], **settings: Unpack[JobSettings]
) -> DeclaresComputation: ...
@overload
def job(kind: str | None = None, *, uses: Uses[D], **settings: Unpack[JobSettings]) -> DeclaresWith[D]: ...
@overload
def job(kind: str | None = None, **settings: Unpack[JobSettings]) -> Declares: ...
def job(
    kind: str | None = None,
    *,
    uses: Uses[Any] | None = None,
    at_most: int | None = None,
    records: tuple[type[DomainEvent], ...] = (),
    **settings: Any,
) -> Any:
    """Declares a kind of job: its command and its results are those that the function's annotations name.

        class MakeReport(Command):
            month: str

        class ReportMade(DomainEvent):
            rows: int

        @job("reports.make", queue="reports", retry=RetryPolicy(base_seconds=5))
        async def make_report(command: MakeReport, run: Run) -> ReportMade:
            run.progress(0.5, "half of it")
            return ReportMade(rows=…)

    An `async` function runs on the worker's event loop, any other in a thread, and one that `needs_processor` in a child
    process. It may be called again for the same job, after a lost worker or a failed attempt. It raises TryLater or
    Unavailable for what may work later and Refused for what never will. Raises JobInvalid when the declaration can't work.
    """
    said = {"kind": kind, **settings} if kind is not None else settings

    def declare(function: Callable[..., Any]) -> JobFunction[Any, Any, Any]:
        if not inspect.isfunction(function):
            raise JobInvalid(f"@job stands over a function, and {function!r} is none")
        declared: JobFunction[Any, Any, Any] = JobFunction(function, uses, at_most, records)
        try:
            _complete(declared, said)
            check(declared.command)
            check_distinct(declared.command, declared.results)
        except CommandInvalid as error:
            raise JobInvalid(f"{declared.name}: {error}") from None
        _check(declared)
        return declared

    return declare


def _signature_of(declared: JobFunction[Any, Any, Any]) -> tuple[type[Any], tuple[type[Any], ...]]:
    """The command and the answers that the annotations name."""
    try:
        hints = get_type_hints(declared.function)
    except NameError as error:
        raise JobInvalid(f"{declared.name}: its annotations can't be read ({error}); import what they name") from None
    parameters = list(inspect.signature(declared.function).parameters)
    command = hints.get(parameters[0]) if parameters else None
    if not (isinstance(command, type) and issubclass(command, Command) and command is not Command):
        raise JobInvalid(
            f"{declared.name}: its first parameter must be annotated with its command, a subclass of Command"
        )
    if "return" not in hints:
        raise JobInvalid(f"{declared.name}: its result must be annotated: with its event, or `-> None` for no result")
    hint = hints["return"]
    answers = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for answer in answers:
        if not (isinstance(answer, type) and issubclass(answer, DomainEvent | AwaitChildren | Then | NoneType)):
            raise JobInvalid(f"{declared.name}: {answer!r} can't be a result; name subclasses of DomainEvent")
        if answer is DomainEvent:
            raise JobInvalid(f"{declared.name}: DomainEvent alone says nothing about its result; name the events")
    if set(answers) == {Then}:
        raise JobInvalid(
            f"{declared.name}: `Then` alone says nothing about its result; write `-> ReportMade | Then`, or `-> None | Then`"
        )
    return command, answers


def _complete(declared: JobFunction[Any, Any, Any], said: dict[str, Any]) -> None:
    """Gives the command what the declaration says for it, and events that have no type one of their own."""
    command = declared.command
    _check_records(declared)
    for name, value in said.items():
        if name not in _SETS:
            raise JobInvalid(f"{declared.name}: @job takes no {name!r}")
        if name in vars(command):
            raise JobInvalid(f"{declared.name}: {command.__name__} has a {name} already; say it in one place")
        setattr(command, name, value)
    if not hasattr(command, "kind"):
        raise JobInvalid(f'{declared.name}: it needs a kind, such as @job("reports.make", queue="reports")')
    if not hasattr(command, "queue"):
        raise JobInvalid(f'{declared.name}: it needs a queue, such as @job({command.kind!r}, queue="reports")')
    for event in (*declared.results, *declared.records):
        if not hasattr(event, "type"):
            event.type = f"{command.kind.rpartition('.')[0]}.{_WORDS.sub('_', event.__name__).lower()}"


def _check(declared: JobFunction[Any, Any, Any]) -> None:
    _check_models(declared)
    expected = results_of(declared.command) or declared.results
    if set(expected) != set(declared.results):
        named = ", ".join(event.__name__ for event in expected)
        raise JobInvalid(f"{declared.name}: its annotation and the events' `result_of` differ, which name {named}")
    takes = 1 if declared.computes else 2 if declared.uses is None else 3
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(declared.function).parameters.values()
    if len(parameters) != takes or any(one.kind not in positional for one in parameters):
        wanted = ("the command", "the run", "what `uses` brings")[:takes]
        raise JobInvalid(f"{declared.name}: it must take {', '.join(wanted)}, and nothing else")
    if declared.at_most is not None and declared.at_most < 1:
        raise JobInvalid(f"{declared.name}: at_most must be 1 or more")


def _check_records(declared: JobFunction[Any, Any, Any]) -> None:
    if not isinstance(declared.records, tuple):
        raise JobInvalid(f"{declared.name}: records must be a tuple of events, such as records=(PageMade,)")
    for event in declared.records:
        if not (isinstance(event, type) and issubclass(event, DomainEvent) and event is not DomainEvent):
            raise JobInvalid(f"{declared.name}: {event!r} can't be recorded; name subclasses of DomainEvent")
    if declared.records and declared.computes:
        raise JobInvalid(f"{declared.name}: it gets no run in its child process, and so can't record events")


def _check_models(declared: JobFunction[Any, Any, Any]) -> None:
    """Builds them now: models wait until they are used, and a mistake in one belongs to whoever starts the process."""
    for model in (declared.command, *declared.results, *declared.records):
        try:
            model.model_rebuild()
            model.model_json_schema()
        except (PydanticUserError, NameError, SchemaError) as error:
            reason = " ".join(str(error).partition("\n\n")[0].split())
            raise JobInvalid(f"{declared.name}: {model.__name__} can't be described as JSON: {reason}") from None


def _named(module: str, name: str) -> Any:
    return attrgetter(name)(import_module(module))
