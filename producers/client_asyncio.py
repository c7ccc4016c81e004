"""The client for asyncio: see `producers.client`."""

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack, cast, overload
from uuid import UUID

import httpx
from httpx_sse import EventSource
from websockets.asyncio.client import connect

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.envelope import CloudEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.workflow import WorkflowCompleted
from producers import client_exchange as exchange
from producers import client_groups
from producers.client_batches import AsyncBatchHandle, Wanted, submission_of_many
from producers.client_exchange import (
    NoReply,
    Outcome,
    Pause,
    Reply,
    Request,
    Result,
    Step,
    Wishes,
    result_of,
)
from producers.client_following import Following
from producers.client_groups import LEASE_SECONDS, TAKEN, AsyncGroupDelivery
from producers.client_http import (
    BROKEN,
    STREAM_TIMEOUT,
    arguments_for,
    headers_for,
    reply_of,
    socket_arguments,
)
from producers.client_schedules import AsyncSchedules
from producers.client_watching import BROKEN_SOCKET, Watching, socket_url
from producers.client_webhooks import AsyncWebhooks
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command, Queue
from schemas.explanations import Explanation
from schemas.failures import FailureGroups, Replay, ReplayCount, ReplayFailures
from schemas.holds import Hold, NewHold
from schemas.jobs import Job, JobState, JobToken, Timeline
from schemas.keys import RotateKeys
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep

PAGE = 100
MOST_FAILURES = 100

R = TypeVar("R")
T = TypeVar("T")


class AsyncBucatini:
    """The same for asyncio."""

    def __init__(self, url: str, key: str) -> None:
        self._socket_url = socket_url(url)
        self._key = key
        self._http = httpx.AsyncClient(base_url=url, headers=headers_for(key))

    @overload
    async def submit(
        self, command: ProcessDocument, **wishes: Unpack[Wishes]
    ) -> "AsyncJobHandle[DocumentProcessed]": ...
    @overload
    async def submit(
        self, command: GenerateDocument, **wishes: Unpack[Wishes]
    ) -> "AsyncJobHandle[DocumentGenerated]": ...
    @overload
    async def submit(self, command: AnalyzeContent, **wishes: Unpack[Wishes]) -> "AsyncJobHandle[ContentAnalyzed]": ...
    @overload
    async def submit(self, command: IndexDocument, **wishes: Unpack[Wishes]) -> "AsyncJobHandle[DocumentIndexed]": ...
    @overload
    async def submit(
        self, command: RunWorkflowStep, **wishes: Unpack[Wishes]
    ) -> "AsyncJobHandle[WorkflowCompleted]": ...
    @overload
    async def submit(self, command: RotateKeys, **wishes: Unpack[Wishes]) -> "AsyncJobHandle[KeysRotated]": ...
    @overload
    async def submit(self, command: Command, **wishes: Unpack[Wishes]) -> "AsyncJobHandle[Any]": ...

    async def submit(self, command: Command, **wishes: Unpack[Wishes]) -> "AsyncJobHandle[Any]":
        """See `Bucatini.submit`."""
        return AsyncJobHandle(self, await self.carry_out(exchange.submission(command, wishes)))

    async def job(self, job_id: UUID) -> "AsyncJobHandle[Result]":
        """A job of yours by its id."""
        return AsyncJobHandle(self, await self.carry_out(exchange.reading(job_id)))

    async def submit_many(
        self,
        commands: Iterable[Command | Wanted],
        *,
        name: str = "",
        atomic: bool = False,
        idempotency_key: str | None = None,
    ) -> "AsyncBatchHandle":
        """See `Bucatini.submit_many`."""
        told = await self.carry_out(submission_of_many(commands, name, atomic, idempotency_key))
        return AsyncBatchHandle(self, told.id, told.jobs)

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
            page = await self.carry_out(exchange.listing(state, kind, queue, limit, cursor, batch_id))
            for job in page.jobs:
                yield job
            cursor = page.next_cursor
            if cursor is None:
                return

    async def hold(self, hold: NewHold) -> Hold:
        """See `Bucatini.hold`."""
        return await self.carry_out(exchange.holding(hold))

    async def holds(self) -> tuple[Hold, ...]:
        """See `Bucatini.holds`."""
        return await self.carry_out(exchange.listing_holds())

    async def remove_hold(self, hold_id: UUID) -> None:
        """See `Bucatini.remove_hold`."""
        await self.carry_out(exchange.removing_hold(hold_id))

    def events(self, pattern: str = "*", *, last_event_id: str = "") -> AsyncIterator[CloudEvent]:
        """See `Bucatini.events`."""
        return self.follow(Following.all_jobs(pattern, last_event_id))

    async def failures(self, *, since: datetime | None = None, limit: int = MOST_FAILURES) -> FailureGroups:
        """See `Bucatini.failures`."""
        return await self.carry_out(exchange.listing_failures(since, limit))

    async def failed_jobs(
        self, fingerprint: str, *, since: datetime | None = None, limit: int = PAGE
    ) -> AsyncIterator[Job]:
        """See `Bucatini.failed_jobs`."""
        cursor: str | None = None
        while True:
            page = await self.carry_out(exchange.reading_failures(fingerprint, since, limit, cursor))
            for job in page.jobs:
                yield job
            cursor = page.next_cursor
            if cursor is None:
                return

    async def replay_failures(self, wanted: ReplayFailures) -> Replay:
        """See `Bucatini.replay_failures`."""
        return await self.carry_out(exchange.replaying_failures(wanted))

    async def count_failures(self, wanted: ReplayFailures) -> ReplayCount:
        """See `Bucatini.count_failures`."""
        return await self.carry_out(exchange.counting_failures(wanted))

    async def replay(self, replay_id: UUID) -> Replay:
        """See `Bucatini.replay`."""
        return await self.carry_out(exchange.reading_replay(replay_id))

    async def subscribe(
        self, types: str | Sequence[str], *, group: str, most: int = TAKEN, lease_seconds: float = LEASE_SECONDS
    ) -> "AsyncIterator[AsyncGroupDelivery]":
        """See `Bucatini.subscribe`."""
        await self.carry_out(client_groups.joining(group, types))
        while True:
            began = time.monotonic()
            for one in await self.carry_out(client_groups.taking(group, most, lease_seconds)):
                if time.monotonic() - began >= lease_seconds:
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
                pass  # What broke is told apart by how long it stays broken.
            await asyncio.sleep(following.closed())

    async def follow_many(self, jobs: Iterable[UUID] = (), types: Iterable[str] = ()) -> AsyncIterator[CloudEvent]:
        """See `Bucatini.follow_many`."""
        watching = Watching(jobs, types)
        while not watching.over:
            broken: BaseException | None = None
            try:
                async with connect(self._socket_url, **socket_arguments(self._key)) as socket:
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


class AsyncJobHandle(Generic[R]):
    """See `JobHandle`."""

    def __init__(self, client: AsyncBucatini, job: Job) -> None:
        self._client = client
        self.job = job

    @property
    def id(self) -> UUID:
        return self.job.id

    async def refresh(self) -> Job:
        """The job as it stands now."""
        self.job = await self._client.carry_out(exchange.reading(self.id))
        return self.job

    async def result(self, timeout_seconds: float | None = None) -> R:
        """See `JobHandle.result`."""
        self.job = await self._client.carry_out(exchange.concluding(self.id, timeout_seconds))
        return cast(R, result_of(self.job))

    async def timeline(self) -> Timeline:
        """See `JobHandle.timeline`."""
        return await self._client.carry_out(exchange.explaining(self.id))

    async def why(self) -> Explanation:
        """See `JobHandle.why`."""
        return await self._client.carry_out(exchange.asking_why(self.id))

    def events(self) -> AsyncIterator[CloudEvent]:
        """See `JobHandle.events`."""
        return self._client.follow(Following.job(self.id))

    async def token(self, *, ttl_seconds: int = 600) -> JobToken:
        """See `JobHandle.token`."""
        return await self._client.carry_out(exchange.token_making(self.id, ttl_seconds))

    async def cancel(self) -> Job:
        """See `JobHandle.cancel`."""
        self.job = await self._client.carry_out(exchange.cancelling(self.id))
        return self.job

    async def replay(self, command: Command | None = None) -> Job:
        """See `JobHandle.replay`."""
        self.job = await self._client.carry_out(exchange.replaying(self.id, command))
        return self.job
