"""What is sent for a command, and the event that its job ends with."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, TypedDict
from uuid import UUID

from pydantic_core import to_json

from events.catalogue import result_from
from events.envelope import DomainEvent
from producers.client.errors import REQUEST_ID, JobFailed, UnknownCommand
from producers.client.exchange import Request
from producers.client.requests import keyed_post, path, with_query
from schemas.commands import Command, path_of
from schemas.jobs import Job, JobState

Result = DomainEvent | dict[str, Any] | None
"""Typed when the client knows the kind of job."""


class JobOptions(TypedDict, total=False):
    """Options of a job. The ingress decides what isn't given."""

    priority: int
    run_at: datetime
    deadline: datetime
    idempotency_key: str
    correlation_id: UUID
    concurrency_key: str
    concurrency_limit: int
    """Of your jobs with that key, at most so many are under way at a time."""


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A command with options of its own. The ingress decides what isn't given."""

    command: Command
    priority: int | None = None
    run_at: datetime | None = None
    deadline: datetime | None = None
    idempotency_key: str | None = None
    concurrency_key: str | None = None
    concurrency_limit: int | None = None


_ITEM_OPTIONS: Final = tuple(field.name for field in fields(BatchJob) if field.name != "command")


def submission(command: Command, options: JobOptions) -> Request:
    """Carries an idempotency key in any case, so that a connection that breaks never makes two jobs."""
    if not hasattr(command, "kind"):
        raise UnknownCommand(f"{type(command).__name__} has no kind: import the module with its function's @job first")
    query = {name: value for name, value in options.items() if name not in ("idempotency_key", "correlation_id")}
    request = keyed_post(with_query(path_of(type(command)), query), command, options.get("idempotency_key"))
    if "correlation_id" not in options:
        return request
    return replace(request, headers={**request.headers, REQUEST_ID: str(options["correlation_id"])})


def submission_of_many(
    commands: Iterable[Command | BatchJob], name: str, atomic: bool, idempotency_key: str | None
) -> Request:
    body = to_json({"jobs": [_item(one) for one in commands], "name": name, "atomic": atomic})
    return keyed_post(path("jobs", "batch"), body, idempotency_key)


def _item(given: Command | BatchJob) -> dict[str, object]:
    wanted = given if isinstance(given, BatchJob) else BatchJob(given)
    options = {name: value for name in _ITEM_OPTIONS if (value := getattr(wanted, name)) is not None}
    command = wanted.command.model_dump(mode="json", exclude_unset=True)
    return {"kind": wanted.command.kind, "command": command, **options}


def result_of(job: Job) -> Result:
    """What a job that has ended brought. JobFailed when it brought nothing."""
    if job.state is not JobState.SUCCEEDED:
        raise JobFailed(job)
    return None if job.result is None else result_from(job.kind, job.result)
