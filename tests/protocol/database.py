"""The real database, driven one statement at a time and read back as the model sees it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID

from infrastructure.postgres.jobs.submission import NewJob
from infrastructure.postgres.session import BUS_SESSION, Connection, Role, connect
from infrastructure.postgres.workers import Heart
from schemas.jobs import JobState
from tests.protocol.rows import Row
from tests.protocol.timelines import read_timeline

T = TypeVar("T")

TENANT = UUID(int=2)
_JOBS = """
SELECT id, state, attempt, crashes, lease_token, lease_worker, seq, wake_at IS NOT NULL, finished_at IS NOT NULL
FROM jobs
"""
_EVENTS = "SELECT job_id, seq, type FROM job_events ORDER BY job_id, seq"


class Database:
    """Its methods return when their statement is committed."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._heart = Heart(url)
        self._system = self._runner.run(connect(url, Role.SYSTEM, "protocol", BUS_SESSION))
        self._submit = self._runner.run(connect(url, Role.SUBMIT, "protocol", BUS_SESSION))

    def do(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """One of the product's statements, as its workers and dispatchers run it."""
        return self._runner.run(_awaited(work, self._system))

    def submit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """The same in the submitter's role."""
        return self._runner.run(_awaited(work, self._submit))

    def change(self, statement: str, *parameters: object) -> None:
        """Makes something be as it would be after a while."""

        async def execute(connection: Connection) -> None:
            await connection.execute(statement, parameters)

        self.do(execute)

    def register(self, worker: UUID) -> None:
        """A new worker incarnation, alive."""
        self._heart.register(worker, "ai", "protocol", 1)

    def beat(self, worker: UUID) -> bool:
        return self._heart.beat(worker)

    def leave(self, worker: UUID) -> None:
        self._heart.leave(worker)

    def clear(self) -> None:
        self.change("DELETE FROM jobs")
        self.change("DELETE FROM job_events")
        self.change("DELETE FROM workers")

    def rows(self) -> dict[UUID, Row]:
        """Every job as the model sees it, once its columns and its timeline agree with each other."""

        async def read(connection: Connection) -> tuple[list[tuple[object, ...]], list[tuple[UUID, int, str]]]:
            jobs = await (await connection.execute(_JOBS)).fetchall()
            events = await (await connection.execute(_EVENTS)).fetchall()
            return jobs, [(job_id, seq, kind) for job_id, seq, kind in events]

        jobs, events = self.do(read)
        timelines: dict[UUID, list[tuple[int, str]]] = defaultdict(list)
        for job_id, seq, kind in events:
            timelines[job_id].append((seq, kind))
        return {row[0]: _row(row, timelines[row[0]]) for row in jobs if isinstance(row[0], UUID)}

    def close(self) -> None:
        self._heart.close()
        for connection in (self._system, self._submit):
            self._runner.run(connection.close())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def new_job(job_id: UUID, *, run_at: datetime | None = None) -> NewJob:
    return NewJob(
        id=job_id,
        tenant_id=TENANT,
        kind="probe.nothing",
        version=1,
        queue="ai",
        priority=5,
        max_attempts=3,
        command="{}",
        run_at=run_at,
    )


async def _awaited(work: Callable[[Connection], Awaitable[T]], connection: Connection) -> T:
    return await work(connection)


def _row(columns: tuple[object, ...], timeline: list[tuple[int, str]]) -> Row:
    job_id, state, attempt, crashes, token, worker, seq, looked_at, finished = columns
    told = read_timeline(timeline)
    assert told.state == state, f"job {job_id} is {state}, and its timeline says {told.state}"
    assert seq == len(timeline), f"job {job_id} counts {seq} events and has {len(timeline)}"
    sleeps = JobState(str(state)) is JobState.RUNNING or bool(finished)
    assert looked_at is not sleeps, f"a {state} job is {'looked at' if looked_at else 'forgotten'} by the sweeper"
    assert isinstance(attempt, int)
    assert isinstance(crashes, int)
    assert token is None or isinstance(token, UUID)
    assert worker is None or isinstance(worker, UUID)
    return Row(JobState(str(state)), attempt, crashes, token, worker, told.ends, told.ends_of_attempt)
