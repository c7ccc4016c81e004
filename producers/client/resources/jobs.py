"""Jobs as the client sees them: where each command is sent, what is asked about a job, and its handles. See
`producers.client.blocking`."""

import json
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Final, Generic, TypedDict, TypeVar, cast
from uuid import UUID, uuid4

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.envelope import CloudEvent, DomainEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.workflow import WorkflowCompleted
from producers.client.exchange import (
    JSON,
    LONGEST_POLL_SECONDS,
    Outcome,
    Request,
    ResultTimeout,
    Step,
    exchange,
    keyed_post,
    with_query,
)
from producers.client.ports import AsyncClient, Client
from producers.client.sse import Following
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command, Queue
from schemas.explanations import Explanation
from schemas.failures import ReplayJob
from schemas.jobs import Job, JobPage, JobState, JobToken, ReadTokenRequest, Timeline
from schemas.keys import RotateKeys
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep

R = TypeVar("R")

PAGE = 100


@dataclass(frozen=True, slots=True)
class CommandRoute:
    """Where a command is sent, and the event its job ends with."""

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


class JobFailed(Exception):
    """The job ended without a result; `job.problem` says why, unless it was cancelled."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} is {job.state}" + (f": {job.problem.title}" if job.problem else ""))
        self.job = job
        self.problem = job.problem


class UnknownCommand(Exception):
    """The client doesn't know where to send such a command. Is it older than the command?"""


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


def submission(command: Command, options: JobOptions) -> Generator[Step, Outcome, Job]:
    """The job. It carries an idempotency key in any case, so a broken connection never makes two jobs."""
    route = COMMANDS.get(type(command))
    if route is None:
        raise UnknownCommand(f"there is no address for {type(command).__name__}")
    headers = {**JSON, "idempotency-key": options.get("idempotency_key") or str(uuid4())}
    if "correlation_id" in options:
        headers["x-correlation-id"] = str(options["correlation_id"])
    query = {name: value for name, value in options.items() if name not in ("idempotency_key", "correlation_id")}
    body = command.model_dump_json(exclude_unset=True).encode()
    reply = yield from exchange(Request("POST", with_query(route.path, query), headers, body))
    return Job.model_validate_json(reply.body)


def reading(job_id: UUID, wait_seconds: int = 0) -> Generator[Step, Outcome, Job]:
    """The job as it stands, or once it has ended if that is within the time."""
    headers = {"prefer": f"wait={wait_seconds}"} if wait_seconds else {}
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}", headers, patience_seconds=wait_seconds))
    return Job.model_validate_json(reply.body)


def awaiting(job_id: UUID, timeout_seconds: float | None) -> Generator[Step, Outcome, Job]:
    """The job once it has ended. ResultTimeout when that takes longer; None waits for ever."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left = LONGEST_POLL_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
        job = yield from reading(job_id, min(LONGEST_POLL_SECONDS, ceil(left)))
        if job.finished:
            return job
        if deadline is not None and time.monotonic() >= deadline:
            raise ResultTimeout(f"job {job_id} is still {job.state} after {timeout_seconds:g} s")


def concluding(job_id: UUID, timeout_seconds: float | None) -> Generator[Step, Outcome, Job]:
    """The job once it has ended, with its result also where that is too large to come with the job."""
    job = yield from awaiting(job_id, timeout_seconds)
    if job.result_url is None:
        return job
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}/result", patience_seconds=LONGEST_POLL_SECONDS))
    return job.model_copy(update={"result": json.loads(reply.body)})


def cancelling(job_id: UUID) -> Generator[Step, Outcome, Job]:
    reply = yield from exchange(Request("POST", f"/api/jobs/{job_id}/cancel"))
    return Job.model_validate_json(reply.body)


def replaying(job_id: UUID, command: Command | None) -> Generator[Step, Outcome, Job]:
    """The job, queued again."""
    body = ReplayJob(command=None if command is None else command.model_dump(mode="json", exclude_unset=True))
    reply = yield from exchange(keyed_post(f"/api/jobs/{job_id}/replay", body))
    return Job.model_validate_json(reply.body)


def explaining(job_id: UUID) -> Generator[Step, Outcome, Timeline]:
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}/timeline"))
    return Timeline.model_validate_json(reply.body)


def asking_why(job_id: UUID) -> Generator[Step, Outcome, Explanation]:
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}/why"))
    return Explanation.model_validate_json(reply.body)


def token_making(job_id: UUID, ttl_seconds: int) -> Generator[Step, Outcome, JobToken]:
    body = ReadTokenRequest(ttl_seconds=ttl_seconds).model_dump_json().encode()
    reply = yield from exchange(Request("POST", f"/api/jobs/{job_id}/token", JSON, body))
    return JobToken.model_validate_json(reply.body)


def listing(
    state: JobState | None,
    kind: str | None,
    queue: Queue | None,
    limit: int,
    cursor: str | None,
    batch_id: UUID | None = None,
) -> Generator[Step, Outcome, JobPage]:
    filters = {"state": state, "kind": kind, "queue": queue, "batch_id": batch_id, "limit": limit, "cursor": cursor}
    reply = yield from exchange(Request("GET", with_query("/api/jobs", filters)))
    return JobPage.model_validate_json(reply.body)


def result_of(job: Job) -> Result:
    """What a job that has ended brought. JobFailed when it brought nothing."""
    if job.state is not JobState.SUCCEEDED:
        raise JobFailed(job)
    event = _EVENTS.get(job.kind)
    return job.result if event is None or job.result is None else event.model_validate(job.result)


class JobHandle(Generic[R]):
    """A job of yours. `job` is how it stood when it was last asked about."""

    def __init__(self, client: Client, job: Job) -> None:
        self._client = client
        self.job = job

    @property
    def id(self) -> UUID:
        return self.job.id

    def refresh(self) -> Job:
        """The job as it stands now."""
        self.job = self._client.carry_out(reading(self.id))
        return self.job

    def result(self, timeout_seconds: float | None = None) -> R:
        """What the job brought, as soon as it has ended. JobFailed, or ResultTimeout; None waits for ever."""
        self.job = self._client.carry_out(concluding(self.id, timeout_seconds))
        return cast(R, result_of(self.job))

    def timeline(self) -> Timeline:
        """What has happened to it so far, in order."""
        return self._client.carry_out(explaining(self.id))

    def why(self) -> Explanation:
        """What keeps it from running, or how far it is."""
        return self._client.carry_out(asking_why(self.id))

    def events(self) -> Iterator[CloudEvent]:
        """Everything that happened to it and happens from now on, each once, until it has ended."""
        return self._client.follow(Following.job(self.id))

    def token(self, *, ttl_seconds: int = 600) -> JobToken:
        """A token with which a browser may read and follow this job, and nothing else, for so long (an hour at most)."""
        return self._client.carry_out(token_making(self.id, ttl_seconds))

    def cancel(self) -> Job:
        """Ends it. ProblemAnswer when it has ended in another way already."""
        self.job = self._client.carry_out(cancelling(self.id))
        return self.job

    def replay(self, command: Command | None = None) -> Job:
        """Queues it again, its attempts unspent, with this command instead of its own if one is given. ProblemAnswer
        when it hasn't failed, died or been cancelled."""
        self.job = self._client.carry_out(replaying(self.id, command))
        return self.job


class AsyncJobHandle(Generic[R]):
    """See `JobHandle`."""

    def __init__(self, client: AsyncClient, job: Job) -> None:
        self._client = client
        self.job = job

    @property
    def id(self) -> UUID:
        return self.job.id

    async def refresh(self) -> Job:
        """The job as it stands now."""
        self.job = await self._client.carry_out(reading(self.id))
        return self.job

    async def result(self, timeout_seconds: float | None = None) -> R:
        """See `JobHandle.result`."""
        self.job = await self._client.carry_out(concluding(self.id, timeout_seconds))
        return cast(R, result_of(self.job))

    async def timeline(self) -> Timeline:
        """See `JobHandle.timeline`."""
        return await self._client.carry_out(explaining(self.id))

    async def why(self) -> Explanation:
        """See `JobHandle.why`."""
        return await self._client.carry_out(asking_why(self.id))

    def events(self) -> AsyncIterator[CloudEvent]:
        """See `JobHandle.events`."""
        return self._client.follow(Following.job(self.id))

    async def token(self, *, ttl_seconds: int = 600) -> JobToken:
        """See `JobHandle.token`."""
        return await self._client.carry_out(token_making(self.id, ttl_seconds))

    async def cancel(self) -> Job:
        """See `JobHandle.cancel`."""
        self.job = await self._client.carry_out(cancelling(self.id))
        return self.job

    async def replay(self, command: Command | None = None) -> Job:
        """See `JobHandle.replay`."""
        self.job = await self._client.carry_out(replaying(self.id, command))
        return self.job
