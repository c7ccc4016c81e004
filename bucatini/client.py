"""Submits jobs of your own over HTTP, with their results typed.

from bucatini.client import Bucatini, submit

with Bucatini() as bucatini:  # BUCATINI_URL and BUCATINI_API_KEY
    job = submit(bucatini, make_report, MakeReport(month="2026-10"))
    print(job.result(timeout_seconds=30).rows)
"""

from collections.abc import Awaitable
from typing import Any, TypeVar, Unpack, overload

from events.catalogue import add
from events.envelope import DomainEvent
from kinds.declaration import JobFunction
from kinds.run import AwaitChildren, Then
from producers.client import AsyncBucatini, AsyncJobHandle, Bucatini, JobHandle, JobOptions
from schemas.commands import Command

__all__ = ["AsyncBucatini", "Bucatini", "submit"]

C = TypeVar("C", bound=Command)
R = TypeVar("R", bound=DomainEvent | AwaitChildren | Then | None)


@overload
def submit(
    client: Bucatini, job: JobFunction[C, R, Any], command: C, **options: Unpack[JobOptions]
) -> JobHandle[R]: ...
@overload
def submit(
    client: AsyncBucatini, job: JobFunction[C, R, Any], command: C, **options: Unpack[JobOptions]
) -> Awaitable[AsyncJobHandle[R]]: ...
def submit(client: Any, job: JobFunction[Any, Any, Any], command: Command, **options: Unpack[JobOptions]) -> Any:
    """The job of this command; with an `AsyncBucatini`, to be awaited. Raises what the client's own `submit` raises."""
    add(job.command, job.results)  # From now on its results come as their events.
    return client.submit(command, **options)
