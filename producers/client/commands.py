"""Where each command is sent, and the event its job ends with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, TypedDict
from uuid import UUID

from pydantic_core import to_json

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.envelope import DomainEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.workflow import WorkflowCompleted
from producers.client.errors import REQUEST_ID, JobFailed, UnknownCommand
from producers.client.exchange import Request
from producers.client.requests import keyed_post, path, with_query
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command
from schemas.jobs import Job, JobState
from schemas.keys import RotateKeys
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep


@dataclass(frozen=True, slots=True)
class CommandRoute:
    path: str
    event: type[DomainEvent]


COMMANDS: Final[Mapping[type[Command], CommandRoute]] = {
    ProcessDocument: CommandRoute("/api/ai/process-document", DocumentProcessed),
    GenerateDocument: CommandRoute("/api/ai/generate-document", DocumentGenerated),
    AnalyzeContent: CommandRoute("/api/ai/analyze-content", ContentAnalyzed),
    IndexDocument: CommandRoute("/api/search/index-document", DocumentIndexed),
    RunWorkflowStep: CommandRoute("/api/workflow/start", WorkflowCompleted),
    RotateKeys: CommandRoute("/api/keys/rotate", KeysRotated),
}
_EVENTS: Final = {command.kind: route.event for command, route in COMMANDS.items()}

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
    route = COMMANDS.get(type(command))
    if route is None:
        raise UnknownCommand(f"there is no address for {type(command).__name__}")
    query = {name: value for name, value in options.items() if name not in ("idempotency_key", "correlation_id")}
    request = keyed_post(with_query(route.path, query), command, options.get("idempotency_key"))
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
    event = _EVENTS.get(job.kind)
    return job.result if event is None or job.result is None else event.model_validate(job.result, extra="ignore")
