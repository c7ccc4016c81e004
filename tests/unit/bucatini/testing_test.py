"""Your own jobs, tried without servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bucatini import Command, DomainEvent, Problem, Refused, Run, Settings, Then, job
from bucatini.testing import RecordedRun, run_job


class Shelf:
    def __init__(self, books: int) -> None:
        self.books = books


@asynccontextmanager
async def real_shelf(settings: Settings) -> AsyncIterator[Shelf]:
    yield Shelf(1_000)


class CountBooks(Command):
    genre: str


class BooksCounted(DomainEvent):
    books: int


class NoSuchGenre(DomainEvent):
    genre: str


@job("library.count_books", queue="library", uses=real_shelf)
async def count_books(command: CountBooks, run: Run, shelf: Shelf) -> BooksCounted | NoSuchGenre:
    run.progress(0.5, f"looking for {command.genre}")
    if command.genre == "forbidden":
        raise Refused(Problem.of("forbidden", "That genre isn't counted", 403))
    return BooksCounted(books=shelf.books) if command.genre == "poetry" else NoSuchGenre(genre=command.genre)


class Add(Command):
    numbers: tuple[int, ...]


class Added(DomainEvent):
    total: int


@job("library.add", queue="library", needs_processor=True)
def add(command: Add) -> Added:
    return Added(total=sum(command.numbers))


class Lie(Command):
    """Ends with what its function doesn't declare."""


@job("library.lie", queue="library")
async def lie(command: Lie, run: Run) -> Added:
    return "no event"  # type: ignore[return-value]  # what an unchecked function may do


class Shelve(Command):
    genre: str


@job("library.shelve", queue="library")
async def shelve(command: Shelve, run: Run) -> Added | Then:
    result = Added(total=1) if command.genre != "wrong" else BooksCounted(books=1)
    return Then(result, (CountBooks(genre=command.genre),))


def test_a_function_runs_with_a_recorded_run_and_what_stands_for_its_database() -> None:
    run = RecordedRun()

    answer = asyncio.run(run_job(count_books, CountBooks(genre="poetry"), uses=Shelf(3), run=run))

    assert answer == BooksCounted(books=3)
    assert run.reports == [(0.5, "looking for poetry")]


def test_without_a_stand_in_the_context_manager_is_opened() -> None:
    assert asyncio.run(run_job(count_books, CountBooks(genre="poetry"))) == BooksCounted(books=1_000)
    assert asyncio.run(run_job(count_books, CountBooks(genre="sport"))) == NoSuchGenre(genre="sport")


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(Refused, match="isn't counted"):
        asyncio.run(run_job(count_books, CountBooks(genre="forbidden")))


def test_a_plain_function_runs_too() -> None:
    assert asyncio.run(run_job(add, Add(numbers=(1, 2, 3)))) == Added(total=6)


def test_an_answer_that_isnt_declared_is_named() -> None:
    with pytest.raises(TypeError, match="returned str"):
        asyncio.run(run_job(lie, Lie()))


def test_jobs_that_follow_are_answered_with_the_result() -> None:
    answer = asyncio.run(run_job(shelve, Shelve(genre="poetry")))

    assert answer == Then(Added(total=1), (CountBooks(genre="poetry"),))


def test_a_result_inside_then_must_be_declared_too() -> None:
    with pytest.raises(TypeError, match="returned BooksCounted"):
        asyncio.run(run_job(shelve, Shelve(genre="wrong")))
