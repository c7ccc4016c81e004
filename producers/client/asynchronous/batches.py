"""Batches: many commands at once, how far they are, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from events.envelope import CloudEvent
from producers.client.asynchronous.jobs import AsyncJobs
from producers.client.asynchronous.ports import AsyncCaller
from producers.client.errors import ProblemAnswer, ResultTimeout, Unreachable
from producers.client.requests import Id, get, path, post
from producers.client.sse import Following
from producers.client.waiting import Waiting
from schemas.batches import Batch, BatchAccepted, ItemAnswer
from schemas.commands import Command
from schemas.jobs import Job

if TYPE_CHECKING:
    from producers.client.commands import BatchJob


class AsyncBatches:
    """Your batches. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller, jobs: AsyncJobs) -> None:
        self._client = client
        self._jobs = jobs

    async def submit(
        self,
        commands: Iterable[Command | BatchJob],
        *,
        name: str = "",
        atomic: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncBatchHandle:
        """A batch of up to 1,000 commands, once it is kept; `outcomes` says of each what became of it. Safe to repeat with
        the same idempotency key; the client's own repeats always are."""
        from producers.client.commands import submission_of_many

        request = submission_of_many(commands, name, atomic, idempotency_key)
        accepted = await self._client.ask(BatchAccepted, request)
        return AsyncBatchHandle(self, accepted.id, accepted.jobs)

    async def get(self, batch_id: Id) -> AsyncBatchHandle:
        """A batch of yours by its id."""
        return AsyncBatchHandle(self, (await self.read(batch_id)).id)

    async def read(self, batch_id: Id, *, wait_seconds: int = 0) -> Batch:
        """How many of its jobs are in which state, now or once all have ended if that is within the time."""
        return await self._client.ask(Batch, get(path("batches", batch_id), wait_seconds=wait_seconds))

    async def wait(self, batch_id: Id, timeout_seconds: float | None = None) -> Batch:
        """The batch as soon as every job of it has ended, in whatever way. ResultTimeout; None waits for ever. An ingress
        that goes away meanwhile is waited for."""
        waiting = Waiting(timeout_seconds)
        while True:
            try:
                batch = waiting.heard(await self.read(batch_id, wait_seconds=waiting.poll_seconds))
            except (Unreachable, ProblemAnswer) as error:
                await asyncio.sleep(waiting.pause_after(error))
                continue
            if batch.finished:
                return batch
            if waiting.over:
                done = f"done to {batch.fraction:.0%} after {timeout_seconds:g} s"
                raise ResultTimeout(f"batch {batch_id} is {done}", job_id=batch.id)

    def jobs(self, batch_id: Id) -> AsyncIterator[Job]:
        """Its jobs as they stand now, the newest first."""
        return self._jobs.list(batch_id=batch_id)

    async def events(self, batch_id: Id, *, last_event_id: str = "") -> AsyncIterator[CloudEvent]:
        """What happens to the batch itself until it has ended: `batch.completed` comes once."""
        async for event in self._client.follow(Following.one("batches", batch_id, last_event_id)):
            yield event

    async def cancel(self, batch_id: Id) -> Batch:
        """Ends every job of it that hasn't ended. ProblemAnswer when the batch has completed already."""
        return await self._client.ask(Batch, post(path("batches", batch_id, "cancel")))


class AsyncBatchHandle:
    """A batch of yours. `outcomes` says what became of each command, in order, when this client submitted it."""

    def __init__(self, batches: AsyncBatches, batch_id: UUID, outcomes: tuple[ItemAnswer, ...] = ()) -> None:
        self._batches = batches
        self.id = batch_id
        self.outcomes = outcomes

    async def progress(self) -> Batch:
        """How many of its jobs are in which state now."""
        return await self._batches.read(self.id)

    async def wait(self, timeout_seconds: float | None = None) -> Batch:
        """See `AsyncBatches.wait`."""
        return await self._batches.wait(self.id, timeout_seconds)

    def jobs(self) -> AsyncIterator[Job]:
        """Its jobs as they stand now, the newest first."""
        return self._batches.jobs(self.id)

    def events(self) -> AsyncIterator[CloudEvent]:
        """See `AsyncBatches.events`."""
        return self._batches.events(self.id)

    async def cancel(self) -> Batch:
        """See `AsyncBatches.cancel`."""
        return await self._batches.cancel(self.id)
