"""Tests of your own jobs without servers: run a function with a recorded `Run`, and submit to memory.

from bucatini.testing import RecordedRun, run_job

async def test_a_report_counts_its_rows() -> None:
    run = RecordedRun()

    made = await run_job(make_report, MakeReport(month="2026-10"), uses=FakeDatabase(rows=3), run=run)

    assert made == ReportMade(rows=3)
    assert run.reports == [(0.5, "half of it")]
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from events.envelope import DomainEvent
from infrastructure.ports import Unstorable
from infrastructure.postgres.jobs.submission import Accepted, KeyReused, NewJob, Repeated, Submission
from infrastructure.settings import Settings
from kinds.declaration import JobFunction
from kinds.run import AwaitChildren, Child, Then
from producers.submission.submitter import ORDINARY, JobOptions, new_job
from schemas.bounds import check_command, check_recorded, check_result
from schemas.commands import Command
from schemas.model import Model

C = TypeVar("C", bound=Command)
R = TypeVar("R", bound=DomainEvent | AwaitChildren | Then | None)
D = TypeVar("D")
M = TypeVar("M", bound=Model)


@dataclass
class RecordedRun:
    """A `Run` that keeps what was reported to it. Two with the same ids are two attempts at one job."""

    tenant_id: UUID = field(default_factory=uuid4)
    job_id: UUID = field(default_factory=uuid7)
    attempt: int = 1
    deadline: datetime | None = None
    children: tuple[Child, ...] = ()
    reports: list[tuple[float, str]] = field(default_factory=list)
    """(fraction, message) of each call of `progress`."""
    recorded: list[DomainEvent] = field(default_factory=list)
    """What `record` stored in the timeline."""
    written: list[tuple[int, int, str]] = field(default_factory=list)
    """(section, offset, text) of each call of `write`."""

    def progress(self, fraction: float, message: str = "") -> None:
        self.reports.append((fraction, message))

    async def record(self, event: DomainEvent) -> None:
        self.recorded.append(_through_json(event, check_recorded))

    async def times_recorded(self, event: type[DomainEvent]) -> int:
        return sum(type(one) is event for one in self.recorded)

    def record_blocking(self, event: DomainEvent) -> None:
        self.recorded.append(_through_json(event, check_recorded))

    def write(self, text: str, *, section: int = 0, offset: int = 0) -> None:
        self.written.append((section, offset, text))


async def run_job(job: JobFunction[C, R, D], command: C, *, uses: D | None = None, run: RecordedRun | None = None) -> R:
    """What the function answers, as it would be stored: command and answer go through JSON, as they do in a worker.

    `uses` stands for what its context manager brings; None opens that. Raises what the function raises, and TypeError when
    the answer isn't of a declared type. A function for a child process or a thread runs in a thread.
    """
    run = run or RecordedRun()
    if job.uses is None or uses is not None:
        return await _run(job, command, run, uses)
    async with job.uses(Settings()) as opened:
        return await _run(job, command, run, opened)


async def _run(job: JobFunction[C, R, D], command: C, run: RecordedRun, uses: D | None) -> R:
    text = command.model_dump_json()
    check_command(text)
    arguments: list[Any] = [job.command.model_validate_json(text)]
    if not job.computes:
        arguments += [run] if job.uses is None else [run, uses]
    called = job.function(*arguments) if job.is_async else asyncio.to_thread(job.function, *arguments)
    answer: R = _as_stored(await called)
    for given in (answer, answer.result) if isinstance(answer, Then) else (answer,):
        if not isinstance(given, job.answers):
            raise TypeError(f"{job.name} returned {type(given).__name__}, which its annotation doesn't name")
    return answer


def _as_stored(answer: Any) -> Any:
    match answer:
        case DomainEvent():
            return _through_json(answer, check_result)
        case Then(result, commands):
            return Then(_as_stored(result), tuple(_through_json(command, check_command) for command in commands))
        case _:
            return answer


def _through_json(model: M, check: Callable[[str], None]) -> M:
    text = model.model_dump_json()
    check(text)
    return type(model).model_validate_json(text)


class InMemorySubmitter:
    """Takes commands as the submitter of a server does, and keeps their jobs in `jobs`. Nothing runs them."""

    def __init__(self) -> None:
        self.jobs: list[NewJob] = []
        self._keys: dict[tuple[UUID, str], NewJob] = {}

    async def submit(self, tenant_id: UUID, command: Command, options: JobOptions = ORDINARY) -> Submission:
        """The outcome: accepted, or the job that the idempotency key made before. OutOfBounds when the command is too
        large or too deep, Unstorable when PostgreSQL couldn't hold it."""
        (submission,) = await self.submit_all([new_job(tenant_id, command, options)])
        return submission

    async def submit_all(self, jobs: Sequence[NewJob]) -> list[Submission]:
        """All of them, or none."""
        for job in jobs:
            _check_storable(job)
        return [self._submit(job) for job in jobs]

    def _submit(self, job: NewJob) -> Submission:
        if job.idempotency_key is not None:
            first = self._keys.setdefault((job.tenant_id, job.idempotency_key), job)
            if first is not job:
                return Repeated(first.id) if first.body_hash == job.body_hash else KeyReused(first.id)
        self.jobs.append(job)
        later = job.run_at is not None and job.run_at > datetime.now(UTC)
        return Accepted(job.id, capped=job.concurrency_key is not None and not later)


def _check_storable(job: NewJob) -> None:
    if "\\u0000" in job.command.replace("\\\\", ""):
        raise Unstorable("PostgreSQL stores no null character (U+0000)")
