"""The client for asyncio: see `producers.client.blocking`."""

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload
from uuid import UUID

import httpx
from httpx_sse import EventSource
from websockets.asyncio.client import connect

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.envelope import CloudEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.workflow import WorkflowCompleted
from producers.client.address import checked_key, checked_url, http_arguments, opened, socket_arguments
from producers.client.exchange import NoReply, Outcome, Pause, Reply, Request, Step
from producers.client.resources import groups
from producers.client.resources import jobs as client_jobs
from producers.client.resources.batches import AsyncBatchHandle, BatchJob, submission_of_many
from producers.client.resources.failures import AsyncFailures
from producers.client.resources.groups import LEASE_SECONDS, TAKEN, AsyncGroupDelivery
from producers.client.resources.holds import AsyncHolds
from producers.client.resources.jobs import PAGE, AsyncJobHandle, JobOptions, Result
from producers.client.resources.schedules import AsyncSchedules
from producers.client.resources.webhooks import AsyncWebhooks
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


class AsyncBucatini:
    """The same for asyncio."""

    def __init__(self, url: str, key: str) -> None:
        url, key = checked_url(url), checked_key(key)
        self._socket_url = socket_url(url)
        self._key = key
        self._http = opened(url, lambda: httpx.AsyncClient(**http_arguments(url, key)))

    @overload
    async def submit(
        self, command: ProcessDocument, **options: Unpack[JobOptions]
    ) -> "AsyncJobHandle[DocumentProcessed]": ...
    @overload
    async def submit(
        self, command: GenerateDocument, **options: Unpack[JobOptions]
    ) -> "AsyncJobHandle[DocumentGenerated]": ...
    @overload
    async def submit(
        self, command: AnalyzeContent, **options: Unpack[JobOptions]
    ) -> "AsyncJobHandle[ContentAnalyzed]": ...
    @overload
    async def submit(
        self, command: IndexDocument, **options: Unpack[JobOptions]
    ) -> "AsyncJobHandle[DocumentIndexed]": ...
    @overload
    async def submit(
        self, command: RunWorkflowStep, **options: Unpack[JobOptions]
    ) -> "AsyncJobHandle[WorkflowCompleted]": ...
    @overload
    async def submit(self, command: RotateKeys, **options: Unpack[JobOptions]) -> "AsyncJobHandle[KeysRotated]": ...
    @overload
    async def submit(self, command: Command, **options: Unpack[JobOptions]) -> "AsyncJobHandle[Any]": ...

    async def submit(self, command: Command, **options: Unpack[JobOptions]) -> "AsyncJobHandle[Any]":
        """See `Bucatini.submit`."""
        return AsyncJobHandle(self, await self.carry_out(client_jobs.submission(command, options)))

    async def job(self, job_id: UUID) -> "AsyncJobHandle[Result]":
        """A job of yours by its id."""
        return AsyncJobHandle(self, await self.carry_out(client_jobs.reading(job_id)))

    async def submit_many(
        self,
        commands: Iterable[Command | BatchJob],
        *,
        name: str = "",
        atomic: bool = False,
        idempotency_key: str | None = None,
    ) -> "AsyncBatchHandle":
        """See `Bucatini.submit_many`."""
        accepted = await self.carry_out(submission_of_many(commands, name, atomic, idempotency_key))
        return AsyncBatchHandle(self, accepted.id, accepted.jobs)

    def batch(self, batch_id: UUID) -> "AsyncBatchHandle":
        """See `Bucatini.batch`."""
        return AsyncBatchHandle(self, batch_id)

    @property
    def schedules(self) -> "AsyncSchedules":
        """See `Bucatini.schedules`."""
        return AsyncSchedules(self)

    async def jobs(
        self,
        *,
        state: JobState | None = None,
        kind: str | None = None,
        queue: Queue | None = None,
        batch_id: UUID | None = None,
        limit: int = PAGE,
    ) -> AsyncIterator[Job]:
        """See `Bucatini.jobs`."""
        cursor: str | None = None
        while True:
            page = await self.carry_out(client_jobs.listing(state, kind, queue, limit, cursor, batch_id))
            for job in page.jobs:
                yield job
            cursor = page.next_cursor
            if cursor is None:
                return

    @property
    def holds(self) -> "AsyncHolds":
        """See `Bucatini.holds`."""
        return AsyncHolds(self)

    @property
    def failures(self) -> "AsyncFailures":
        """See `Bucatini.failures`."""
        return AsyncFailures(self)

    def events(self, pattern: str = "*", *, last_event_id: str = "") -> AsyncIterator[CloudEvent]:
        """See `Bucatini.events`."""
        return self.follow(Following.all_jobs(pattern, last_event_id))

    async def subscribe(
        self, types: str | Sequence[str], *, group: str, most: int = TAKEN, lease_seconds: float = LEASE_SECONDS
    ) -> "AsyncIterator[AsyncGroupDelivery]":
        """See `Bucatini.subscribe`."""
        await self.carry_out(groups.joining(group, types))
        while True:
            given = await self.carry_out(groups.taking(group, most, lease_seconds))
            # Not since it was asked for: the answer may have waited longer for its events than their lease lasts.
            given_at = time.monotonic()
            for one in given:
                if time.monotonic() - given_at >= lease_seconds:
                    break  # The rest is somebody else's by now.
                yield AsyncGroupDelivery(self, group, one)

    @property
    def webhooks(self) -> "AsyncWebhooks":
        """See `Bucatini.webhooks`."""
        return AsyncWebhooks(self)

    async def follow(self, following: Following) -> AsyncIterator[CloudEvent]:
        while not following.over:
            try:
                headers = following.headers
                async with self._http.stream(
                    "GET", following.path, headers=headers, timeout=STREAM_TIMEOUT
                ) as response:
                    if response.is_error:
                        await response.aread()
                    if following.answered(reply_of(response)):
                        async for said in EventSource(response).aiter_sse():
                            if (event := following.take(said)) is not None:
                                yield event
            except BROKEN:
                pass  # Whether it is broken for good is decided by how long it stays broken.
            await asyncio.sleep(following.closed())

    async def follow_many(self, jobs: Iterable[UUID] = (), types: Iterable[str] = ()) -> AsyncIterator[CloudEvent]:
        """See `Bucatini.follow_many`."""
        watching = Watching(jobs, types)
        while not watching.over:
            broken: BaseException | None = None
            try:
                async with connect(self._socket_url, **socket_arguments(self._socket_url, self._key)) as socket:
                    for message in watching.opening():
                        await socket.send(message)
                    while not watching.over:
                        if (event := watching.take(await socket.recv())) is not None:
                            yield event
            except BROKEN_SOCKET as error:
                broken = error
            if not watching.over:
                await asyncio.sleep(watching.closed(broken))

    async def carry_out(self, steps: Generator[Step, Outcome, T]) -> T:
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
                    outcome = await self._send(step)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                    outcome = None

    async def _send(self, request: Request) -> Reply | NoReply:
        try:
            return reply_of(await self._http.request(request.method, request.path, **arguments_for(request)))
        except httpx.TransportError as error:
            return NoReply(type(error).__name__)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
