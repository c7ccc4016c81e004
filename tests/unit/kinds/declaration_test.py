"""What `@job(...)` makes of a function, and what it says about one that can't work."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field

from bucatini import AwaitChildren, Command, DomainEvent, JobInvalid, RetryPolicy, Run, Settings, Then, job
from schemas.ai import ProcessDocument


class Database:
    """What a function depends on."""


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    yield Database()


def test_one_declaration_says_all_of_a_kind() -> None:
    class MakeReport(Command):
        month: str

    class ReportMade(DomainEvent):
        rows: int

    class NothingToReport(DomainEvent):
        reason: str

    @job("reports.make", queue="reports", retry=RetryPolicy(base_seconds=7), route="/api/reports", max_attempts=2)
    async def make_report(command: MakeReport, run: Run) -> ReportMade | NothingToReport:
        return ReportMade(rows=len(command.month))

    assert make_report.command is MakeReport
    assert make_report.results == (ReportMade, NothingToReport)
    assert (MakeReport.kind, MakeReport.queue, MakeReport.route) == ("reports.make", "reports", "/api/reports")
    assert (MakeReport.retry.base_seconds, MakeReport.max_attempts) == (7, 2)
    assert [event.type for event in make_report.results] == ["reports.report_made", "reports.nothing_to_report"]


def test_what_a_function_records_is_declared_beside_its_results() -> None:
    class Count(Command):
        upto: int

    class Counted(DomainEvent):
        total: int

    class Reached(DomainEvent):
        number: int

    @job("numbers.count", queue="numbers", records=(Reached,))
    async def count(command: Count, run: Run) -> Counted:
        await run.record(Reached(number=1))
        return Counted(total=command.upto)

    assert (count.records, Reached.type) == ((Reached,), "numbers.reached")
    assert count.results == (Counted,), "it is no result"


def test_what_a_command_and_an_event_say_themselves_stays() -> None:
    class Sweep(Command):
        kind: ClassVar[str] = "rooms.sweep"
        queue: ClassVar[str] = "rooms"

    class Swept(DomainEvent):
        type: ClassVar[str] = "rooms.clean"

    @job()
    async def sweep(command: Sweep, run: Run) -> Swept | AwaitChildren | None:
        return None

    assert (Sweep.kind, Swept.type) == ("rooms.sweep", "rooms.clean")
    assert sweep.awaits_children
    assert sweep.results == (Swept,)


class Unnamed(Command):
    """A command that leaves its kind to a declaration."""


class Told(DomainEvent):
    type: ClassVar[str] = "tests.told"


class ToldTwice(DomainEvent):
    type: ClassVar[str] = "tests.told_twice"


async def _without_result(command: Unnamed, run: Run):  # type: ignore[no-untyped-def]  # what is refused
    return None


async def _without_command(command: int, run: Run) -> Told:
    return Told()


async def _with_any_event(command: Unnamed, run: Run) -> DomainEvent:
    return Told()


async def _with_text(command: Unnamed, run: Run) -> str:
    return ""


async def _with_then_alone(command: Unnamed, run: Run) -> Then:
    return Then(Told(), ())


async def _with_twins(command: Unnamed, run: Run) -> Told | ToldTwice:
    return Told()


async def _with_too_much(command: Unnamed, run: Run, more: int) -> Told:
    return Told()


async def _for_ours(command: ProcessDocument, run: Run) -> Told:
    return Told()


TEXT: Any = (str,)
ONE: Any = Told


class Unreadable(Command):
    """Its field is of a class that JSON has no form of."""

    database: Database


class Indescribable(Command):
    """JSON has no functions either."""

    call: Callable[[], int]


class Impossible(DomainEvent):
    """Its pattern is none."""

    type: ClassVar[str] = "tests.impossible"
    month: Annotated[str, Field(pattern="[")]


async def _with_a_database(command: Unreadable, run: Run) -> Told:
    return Told()


async def _with_a_function(command: Indescribable, run: Run) -> Told:
    return Told()


async def _with_no_pattern(command: Unnamed, run: Run) -> Impossible:
    return Impossible(month="")


async def _fine(command: Unnamed, run: Run) -> Told:
    return Told()


@pytest.mark.parametrize(
    ("declare", "function", "reason"),
    [
        (job("tests.none", queue="tests"), _without_result, "its result must be annotated"),
        (job("tests.none", queue="tests"), _without_command, "first parameter must be annotated with its command"),
        (job("tests.none", queue="tests"), _with_any_event, "DomainEvent alone says nothing"),
        (job("tests.none", queue="tests"), _with_text, "can't be a result"),
        (job("tests.none", queue="tests"), _with_then_alone, "`Then` alone says nothing"),
        (job("tests.twins", queue="tests"), _with_twins, "which has the same fields"),
        (job("tests.much", queue="tests"), _with_too_much, "it must take the command, the run, and nothing else"),
        (
            job("tests.database", queue="tests"),
            _with_a_database,
            "Unreadable can't be described as JSON: Unable to generate",
        ),
        (job("tests.call", queue="tests"), _with_a_function, "Indescribable can't be described as JSON: Cannot"),
        (
            job("tests.pattern", queue="tests"),
            _with_no_pattern,
            "Impossible can't be described as JSON: Error building",
        ),
        (job(), _for_ours, "differ, which name DocumentProcessed"),
        (job("ai.other"), _for_ours, "ProcessDocument has a kind already"),
        (job(), _fine, "it needs a kind"),
        (job("tests.fine"), _fine, "it needs a queue"),
        (job("Tests Fine", queue="tests"), _fine, "can't be a kind"),
        (job("jobs.batch", queue="tests"), _fine, "can't be a kind"),
        (job(f"tests.{'long' * 50}", queue="tests"), _fine, "can't be a kind"),
        (job("tests.fine", queue="unacked"), _fine, "can't be a queue"),
        (job("tests.fine", queue="no\nline"), _fine, "can't be a queue"),
        (job("tests.fine", queue="q" * 41), _fine, "can't be a queue"),
        (job("tests.fine", queue="tests", route="reports"), _fine, "can't be a route"),
        (job("tests.fine", queue="tests", at_most=0), _fine, "at_most must be 1 or more"),
        (job("tests.fine", queue="tests", records=TEXT), _fine, "can't be recorded"),
        (job("tests.fine", queue="tests", records=ONE), _fine, "a tuple of events"),
    ],
)
def test_a_declaration_that_cant_work_is_refused_by_name(
    declare: Any, function: Callable[..., Any], reason: str
) -> None:
    with pytest.raises(JobInvalid, match=re.escape(reason)) as refused:
        declare(function)

    assert str(refused.value).startswith(f"{function.__module__}.{function.__qualname__}: ")


@pytest.fixture(autouse=True)
def _unnamed_again() -> Iterator[None]:
    yield
    for name in {"kind", "queue", "route"} & vars(Unnamed).keys():
        delattr(Unnamed, name)


def test_the_type_checker_knows_what_may_stand_below_it() -> None:
    """Strict mypy reports each `type: ignore` here that isn't needed."""

    class Count(Command):
        words: int

    class Counted(DomainEvent):
        words: int

    async def with_database(command: Count, run: Run, used: Database) -> Counted:
        return Counted(words=1)

    async def with_number(command: Count, run: Run, used: int) -> Counted:
        return Counted(words=1)

    async def to_text(command: Count, run: Run) -> str:
        return ""

    def compute(command: Count) -> Counted:
        return Counted(words=command.words)

    typed = (
        lambda: job("tests.count", queue="tests", uses=database)(with_database),
        lambda: job("tests.count", queue="tests", needs_processor=True)(compute),
    )
    untyped: tuple[Callable[[], object], ...] = (
        lambda: job("tests.count", queue="tests", uses=database)(with_number),  # type: ignore[arg-type]
        lambda: job("tests.count", queue="tests")(to_text),  # type: ignore[type-var]
        lambda: job("tests.count", queue="tests")(compute),  # type: ignore[arg-type]
        lambda: job("tests.count", queue="tests", needs_processor=True, uses=database),  # type: ignore[call-overload]
        lambda: job("tests.count", queue=3),  # type: ignore[call-overload]
    )

    assert len(typed) + len(untyped) == 7
