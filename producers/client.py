"""The client for other services: submit a command, follow its events, fetch its result.

    with Bucatini("http://127.0.0.1:8000", key) as bucatini:
        job = bucatini.submit(ProcessDocument(title="Lease", text=text))
        print(job.result(timeout_seconds=60).parties)

`AsyncBucatini` is the same with `await`. Every call may raise ProblemAnswer (the ingress said no) or Unreachable.
"""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack, cast, overload
from uuid import UUID

import httpx
from httpx_sse import EventSource
from websockets.sync.client import connect

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.envelope import CloudEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.workflow import WorkflowCompleted
from producers import client_exchange as exchange
from producers import client_groups
from producers.client_asyncio import MOST_FAILURES, PAGE, AsyncBucatini, AsyncJobHandle
from producers.client_batches import BatchHandle, Wanted, submission_of_many
from producers.client_exchange import (
    JobFailed,
    NoReply,
    Outcome,
    Pause,
    ProblemAnswer,
    Reply,
    Request,
    Result,
    ResultTimeout,
    Step,
    UnknownCommand,
    Unreachable,
    Wishes,
    result_of,
)
from producers.client_following import Following
from producers.client_groups import LEASE_SECONDS, TAKEN, AsyncGroupDelivery, GroupDelivery
from producers.client_http import (
    BROKEN,
    STREAM_TIMEOUT,
    arguments_for,
    headers_for,
    reply_of,
    socket_arguments,
)
from producers.client_schedules import Schedules
from producers.client_watching import BROKEN_SOCKET, Watching, socket_url
from producers.client_webhooks import Webhooks
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command, Queue
from schemas.explanations import Explanation
from schemas.failures import FailureGroups, Replay, ReplayCount, ReplayFailures
from schemas.holds import Hold, NewHold
from schemas.jobs import Job, JobState, JobToken, Timeline
from schemas.keys import RotateKeys
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep

__all__ = [
    "AsyncBucatini",
    "AsyncGroupDelivery",
    "AsyncJobHandle",
    "BatchHandle",
    "Bucatini",
    "GroupDelivery",
    "JobFailed",
    "JobHandle",
    "ProblemAnswer",
    "ResultTimeout",
    "UnknownCommand",
    "Unreachable",
    "Wanted",
    "Webhooks",
]


R = TypeVar("R")
T = TypeVar("T")


class Bucatini:
    """The blocking client. Threads may share it."""

    def __init__(self, url: str, key: str) -> None:
        self._socket_url = socket_url(url)
        self._key = key
        self._http = httpx.Client(base_url=url, headers=headers_for(key))

    @overload
    def submit(self, command: ProcessDocument, **wishes: Unpack[Wishes]) -> "JobHandle[DocumentProcessed]": ...
    @overload
    def submit(self, command: GenerateDocument, **wishes: Unpack[Wishes]) -> "JobHandle[DocumentGenerated]": ...
    @overload
    def submit(self, command: AnalyzeContent, **wishes: Unpack[Wishes]) -> "JobHandle[ContentAnalyzed]": ...
    @overload
    def submit(self, command: IndexDocument, **wishes: Unpack[Wishes]) -> "JobHandle[DocumentIndexed]": ...
    @overload
    def submit(self, command: RunWorkflowStep, **wishes: Unpack[Wishes]) -> "JobHandle[WorkflowCompleted]": ...
    @overload
    def submit(self, command: RotateKeys, **wishes: Unpack[Wishes]) -> "JobHandle[KeysRotated]": ...
    @overload
    def submit(self, command: Command, **wishes: Unpack[Wishes]) -> "JobHandle[Any]": ...

    def submit(self, command: Command, **wishes: Unpack[Wishes]) -> "JobHandle[Any]":
        """The job, once it is kept. A repeat with the same idempotency key gives the same job; without one the client
        makes its own, so that its own repeats are safe."""
        return JobHandle(self, self.carry_out(exchange.submission(command, wishes)))

    def job(self, job_id: UUID) -> "JobHandle[Result]":
        """A job of yours by its id."""
        return JobHandle(self, self.carry_out(exchange.reading(job_id)))

    def submit_many(
        self,
        commands: Iterable[Command | Wanted],
        *,
        name: str = "",
        atomic: bool = False,
        idempotency_key: str | None = None,
    ) -> "BatchHandle":
        """A batch of up to 1,000 commands, once it is kept; `outcomes` says of each what became of it. Safe to repeat with
        the same idempotency key; the client's own repeats always are."""
        told = self.carry_out(submission_of_many(commands, name, atomic, idempotency_key))
        return BatchHandle(self, told.id, told.jobs)

    def batch(self, batch_id: UUID) -> "BatchHandle":
        """A batch of yours by its id. Nothing is asked yet."""
        return BatchHandle(self, batch_id)

    @property
    def schedules(self) -> "Schedules":
        """Commands that are handed in again and again."""
        return Schedules(self)

    def jobs(
        self,
        *,
        state: JobState | None = None,
        kind: str | None = None,
        queue: Queue | None = None,
        batch_id: UUID | None = None,
        limit: int = PAGE,
    ) -> Iterator[Job]:
        """All your jobs that match, the newest first, fetched `limit` at a time while you go on."""
        cursor: str | None = None
        while True:
            page = self.carry_out(exchange.listing(state, kind, queue, limit, cursor, batch_id))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    def hold(self, hold: NewHold) -> Hold:
        """Keeps your jobs that match from running, until it is removed. Repeating it is safe. Needs an admin key."""
        return self.carry_out(exchange.holding(hold))

    def holds(self) -> tuple[Hold, ...]:
        """What keeps jobs of yours from running: your own holds, and those an operator made for everybody."""
        return self.carry_out(exchange.listing_holds())

    def remove_hold(self, hold_id: UUID) -> None:
        """Lets go on what it held. ProblemAnswer when there is no such hold of yours."""
        self.carry_out(exchange.removing_hold(hold_id))

    def events(self, pattern: str = "*", *, last_event_id: str = "") -> Iterator[CloudEvent]:
        """What happens to your jobs from now on, or from after the id of an earlier stream; without end."""
        return self.follow(Following.all_jobs(pattern, last_event_id))

    def failures(self, *, since: datetime | None = None, limit: int = MOST_FAILURES) -> FailureGroups:
        """What failed and why, grouped by reason, the latest first; of the last week if no time is given."""
        return self.carry_out(exchange.listing_failures(since, limit))

    def failed_jobs(self, fingerprint: str, *, since: datetime | None = None, limit: int = PAGE) -> Iterator[Job]:
        """The jobs of one group, those that failed last first, fetched `limit` at a time while you go on."""
        cursor: str | None = None
        while True:
            page = self.carry_out(exchange.reading_failures(fingerprint, since, limit, cursor))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    def replay_failures(self, wanted: ReplayFailures) -> Replay:
        """Has all that match run again, each once, in the background: ask `replay` how far that is."""
        return self.carry_out(exchange.replaying_failures(wanted))

    def count_failures(self, wanted: ReplayFailures) -> ReplayCount:
        """How many jobs such a replay would take. Nothing is changed."""
        return self.carry_out(exchange.counting_failures(wanted))

    def replay(self, replay_id: UUID) -> Replay:
        """A replay of many jobs as it stands."""
        return self.carry_out(exchange.reading_replay(replay_id))

    def subscribe(
        self, types: str | Sequence[str], *, group: str, most: int = TAKEN, lease_seconds: float = LEASE_SECONDS
    ) -> "Iterator[GroupDelivery]":
        """The group's events of these types (`search.*`) from when it was first made, without end: each to one member at
        a time, and again to another when it isn't acknowledged within the lease. A job's events come in their order."""
        self.carry_out(client_groups.joining(group, types))
        while True:
            began = time.monotonic()
            for one in self.carry_out(client_groups.taking(group, most, lease_seconds)):
                if time.monotonic() - began >= lease_seconds:
                    break  # The rest is somebody else's by now.
                yield GroupDelivery(self, group, one)

    @property
    def webhooks(self) -> "Webhooks":
        """Where your events are sent."""
        return Webhooks(self)

    def follow(self, following: Following) -> Iterator[CloudEvent]:
        while not following.over:
            try:
                with self._http.stream(
                    "GET", following.path, headers=following.headers, timeout=STREAM_TIMEOUT
                ) as response:
                    if response.is_error:
                        response.read()
                    if following.answered(reply_of(response)):
                        for said in EventSource(response).iter_sse():
                            if (event := following.take(said)) is not None:
                                yield event
            except BROKEN:
                pass  # What broke is told apart by how long it stays broken.
            time.sleep(following.closed())

    def follow_many(self, jobs: Iterable[UUID] = (), types: Iterable[str] = ()) -> Iterator[CloudEvent]:
        """What happened to these jobs and happens from now on, each to its end, and what happens from now on to any job
        whose type of event matches, without end. One connection for all, at most 1,000 subjects; each event once for
        each of them."""
        watching = Watching(jobs, types)
        while not watching.over:
            broken: BaseException | None = None
            try:
                with connect(self._socket_url, **socket_arguments(self._key)) as socket:
                    for message in watching.opening():
                        socket.send(message)
                    while not watching.over:
                        if (event := watching.take(socket.recv())) is not None:
                            yield event
            except BROKEN_SOCKET as error:
                broken = error
            if not watching.over:
                time.sleep(watching.closed(broken))

    def carry_out(self, steps: Generator[Step, Outcome, T]) -> T:
        """Does what the conversation asks for, until it has its answer."""
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                answer: T = end.value
                return answer
            match step:
                case Request():
                    outcome = self._send(step)
                case Pause(seconds):
                    time.sleep(seconds)
                    outcome = None

    def _send(self, request: Request) -> Reply | NoReply:
        try:
            return reply_of(self._http.request(request.method, request.path, **arguments_for(request)))
        except httpx.TransportError as error:
            return NoReply(type(error).__name__)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class JobHandle(Generic[R]):
    """A job of yours. `job` is how it stood when it was last asked about."""

    def __init__(self, client: Bucatini, job: Job) -> None:
        self._client = client
        self.job = job

    @property
    def id(self) -> UUID:
        return self.job.id

    def refresh(self) -> Job:
        """The job as it stands now."""
        self.job = self._client.carry_out(exchange.reading(self.id))
        return self.job

    def result(self, timeout_seconds: float | None = None) -> R:
        """What the job brought, as soon as it has ended. JobFailed, or ResultTimeout; None waits for ever."""
        self.job = self._client.carry_out(exchange.concluding(self.id, timeout_seconds))
        return cast(R, result_of(self.job))

    def timeline(self) -> Timeline:
        """What has happened to it so far, in order."""
        return self._client.carry_out(exchange.explaining(self.id))

    def why(self) -> Explanation:
        """What keeps it from running, or how far it is."""
        return self._client.carry_out(exchange.asking_why(self.id))

    def events(self) -> Iterator[CloudEvent]:
        """Everything that happened to it and happens from now on, each once, until it has ended."""
        return self._client.follow(Following.job(self.id))

    def token(self, *, ttl_seconds: int = 600) -> JobToken:
        """A token with which a browser may read and follow this job, and nothing else, for so long (an hour at most)."""
        return self._client.carry_out(exchange.token_making(self.id, ttl_seconds))

    def cancel(self) -> Job:
        """Ends it. ProblemAnswer when it has ended in another way already."""
        self.job = self._client.carry_out(exchange.cancelling(self.id))
        return self.job

    def replay(self, command: Command | None = None) -> Job:
        """Queues it again, its attempts unspent, with this command instead of its own if one is given. ProblemAnswer
        when it hasn't failed, died or been cancelled."""
        self.job = self._client.carry_out(exchange.replaying(self.id, command))
        return self.job
