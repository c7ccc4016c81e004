"""The blocking client: see `producers.client`."""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload
from uuid import UUID

import httpx
from httpx_sse import EventSource
from websockets.sync.client import connect

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.envelope import CloudEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.workflow import WorkflowCompleted
from producers.client.address import checked_key, checked_url, http_arguments, opened, socket_arguments
from producers.client.exchange import (
    NoReply,
    Outcome,
    Pause,
    Reply,
    Request,
    Step,
)
from producers.client.resources import groups
from producers.client.resources import jobs as client_jobs
from producers.client.resources.batches import BatchHandle, BatchJob, submission_of_many
from producers.client.resources.failures import Failures
from producers.client.resources.groups import LEASE_SECONDS, TAKEN, GroupDelivery
from producers.client.resources.holds import Holds
from producers.client.resources.jobs import PAGE, JobHandle, JobOptions, Result
from producers.client.resources.schedules import Schedules
from producers.client.resources.webhooks import Webhooks
from producers.client.sse import Following
from producers.client.transport import BROKEN, STREAM_TIMEOUT, arguments_for, reply_of
from producers.client.websocket import BROKEN_SOCKET, Watching, socket_url
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command, Queue
from schemas.jobs import Job, JobState
from schemas.keys import RotateKeys
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep

T = TypeVar("T")


class Bucatini:
    """The blocking client. Threads may share it. Misconfigured where nothing could be asked with what it is given.

    An ingress on this machine is asked directly, whatever the environment says of proxies.
    """

    def __init__(self, url: str, key: str) -> None:
        url, key = checked_url(url), checked_key(key)
        self._socket_url = socket_url(url)
        self._key = key
        self._http = opened(url, lambda: httpx.Client(**http_arguments(url, key)))

    @overload
    def submit(self, command: ProcessDocument, **options: Unpack[JobOptions]) -> "JobHandle[DocumentProcessed]": ...
    @overload
    def submit(self, command: GenerateDocument, **options: Unpack[JobOptions]) -> "JobHandle[DocumentGenerated]": ...
    @overload
    def submit(self, command: AnalyzeContent, **options: Unpack[JobOptions]) -> "JobHandle[ContentAnalyzed]": ...
    @overload
    def submit(self, command: IndexDocument, **options: Unpack[JobOptions]) -> "JobHandle[DocumentIndexed]": ...
    @overload
    def submit(self, command: RunWorkflowStep, **options: Unpack[JobOptions]) -> "JobHandle[WorkflowCompleted]": ...
    @overload
    def submit(self, command: RotateKeys, **options: Unpack[JobOptions]) -> "JobHandle[KeysRotated]": ...
    @overload
    def submit(self, command: Command, **options: Unpack[JobOptions]) -> "JobHandle[Any]": ...

    def submit(self, command: Command, **options: Unpack[JobOptions]) -> "JobHandle[Any]":
        """The job, once it is kept. A repeat with the same idempotency key gives the same job; without one the client
        makes its own, so that its own repeats are safe."""
        return JobHandle(self, self.carry_out(client_jobs.submission(command, options)))

    def job(self, job_id: UUID) -> "JobHandle[Result]":
        """A job of yours by its id."""
        return JobHandle(self, self.carry_out(client_jobs.reading(job_id)))

    def submit_many(
        self,
        commands: Iterable[Command | BatchJob],
        *,
        name: str = "",
        atomic: bool = False,
        idempotency_key: str | None = None,
    ) -> "BatchHandle":
        """A batch of up to 1,000 commands, once it is kept; `outcomes` says of each what became of it. Safe to repeat with
        the same idempotency key; the client's own repeats always are."""
        accepted = self.carry_out(submission_of_many(commands, name, atomic, idempotency_key))
        return BatchHandle(self, accepted.id, accepted.jobs)

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
            page = self.carry_out(client_jobs.listing(state, kind, queue, limit, cursor, batch_id))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    @property
    def holds(self) -> "Holds":
        """What keeps jobs of yours from running."""
        return Holds(self)

    @property
    def failures(self) -> "Failures":
        """What failed and why, and running it again."""
        return Failures(self)

    def events(self, pattern: str = "*", *, last_event_id: str = "") -> Iterator[CloudEvent]:
        """What happens to your jobs from now on, or from after the id of an earlier stream; without end."""
        return self.follow(Following.all_jobs(pattern, last_event_id))

    def subscribe(
        self, types: str | Sequence[str], *, group: str, most: int = TAKEN, lease_seconds: float = LEASE_SECONDS
    ) -> "Iterator[GroupDelivery]":
        """The group's events of these types (`search.*`) from when it was first made, without end: each to one member at
        a time, and again to another when it isn't acknowledged within the lease. A job's events come in their order."""
        self.carry_out(groups.joining(group, types))
        while True:
            given = self.carry_out(groups.taking(group, most, lease_seconds))
            # Not since it was asked for: the answer may have waited longer for its events than their lease lasts.
            given_at = time.monotonic()
            for one in given:
                if time.monotonic() - given_at >= lease_seconds:
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
                pass  # Whether it is broken for good is decided by how long it stays broken.
            time.sleep(following.closed())

    def follow_many(self, jobs: Iterable[UUID] = (), types: Iterable[str] = ()) -> Iterator[CloudEvent]:
        """What happened to these jobs and happens from now on, each to its end, and what happens from now on to any job
        whose type of event matches, without end. One connection for all, at most 1,000 subjects; each event once for
        each of them."""
        watching = Watching(jobs, types)
        while not watching.over:
            broken: BaseException | None = None
            try:
                with connect(self._socket_url, **socket_arguments(self._socket_url, self._key)) as socket:
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
