# Generated from asynchronous/batches.py by `python -m producers.packaging`: edit that one.
"""Batches: many commands at once, how far they are, and their end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from events.envelope import CloudEvent
from producers.client.blocking.jobs import Jobs
from producers.client.blocking.ports import Caller
from producers.client.errors import ProblemAnswer, ResultTimeout, Unreachable
from producers.client.requests import Id, get, path, post
from producers.client.sse import Following
from producers.client.waiting import Waiting
from schemas.batches import Batch, BatchAccepted, ItemAnswer
from schemas.commands import Command
from schemas.jobs import Job

if TYPE_CHECKING:
    from producers.client.commands import BatchJob


class Batches:
    """Your batches. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller, jobs: Jobs) -> None:
        self._client = client
        self._jobs = jobs

    def submit(
        self,
        commands: Iterable[Command | BatchJob],
        *,
        name: str = "",
        atomic: bool = False,
        idempotency_key: str | None = None,
    ) -> BatchHandle:
        """A batch of up to 1,000 commands, once it is kept; `outcomes` says of each what became of it. Safe to repeat with
        the same idempotency key; the client's own repeats always are."""
        from producers.client.commands import submission_of_many

        request = submission_of_many(commands, name, atomic, idempotency_key)
        accepted = self._client.ask(BatchAccepted, request)
        return BatchHandle(self, accepted.id, accepted.jobs)

    def get(self, batch_id: Id) -> BatchHandle:
        """A batch of yours by its id."""
        return BatchHandle(self, (self.read(batch_id)).id)

    def read(self, batch_id: Id, *, wait_seconds: int = 0) -> Batch:
        """How many of its jobs are in which state, now or once all have ended if that is within the time."""
        return self._client.ask(Batch, get(path("batches", batch_id), wait_seconds=wait_seconds))

    def wait(self, batch_id: Id, timeout_seconds: float | None = None) -> Batch:
        """The batch as soon as every job of it has ended, in whatever way. ResultTimeout; None waits for ever. An ingress
        that goes away meanwhile is waited for."""
        waiting = Waiting(timeout_seconds)
        while True:
            try:
                batch = waiting.heard(self.read(batch_id, wait_seconds=waiting.poll_seconds))
            except (Unreachable, ProblemAnswer) as error:
                time.sleep(waiting.pause_after(error))
                continue
            if batch.finished:
                return batch
            if waiting.over:
                done = f"done to {batch.fraction:.0%} after {timeout_seconds:g} s"
                raise ResultTimeout(f"batch {batch_id} is {done}", job_id=batch.id)

    def jobs(self, batch_id: Id) -> Iterator[Job]:
        """Its jobs as they stand now, the newest first."""
        return self._jobs.list(batch_id=batch_id)

    def events(self, batch_id: Id, *, last_event_id: str = "") -> Iterator[CloudEvent]:
        """What happens to the batch itself until it has ended: `batch.completed` comes once."""
        yield from self._client.follow(Following.one("batches", batch_id, last_event_id))

    def cancel(self, batch_id: Id) -> Batch:
        """Ends every job of it that hasn't ended. ProblemAnswer when the batch has completed already."""
        return self._client.ask(Batch, post(path("batches", batch_id, "cancel")))


class BatchHandle:
    """A batch of yours. `outcomes` says what became of each command, in order, when this client submitted it."""

    def __init__(self, batches: Batches, batch_id: UUID, outcomes: tuple[ItemAnswer, ...] = ()) -> None:
        self._batches = batches
        self.id = batch_id
        self.outcomes = outcomes

    def progress(self) -> Batch:
        """How many of its jobs are in which state now."""
        return self._batches.read(self.id)

    def wait(self, timeout_seconds: float | None = None) -> Batch:
        """See `Batches.wait`."""
        return self._batches.wait(self.id, timeout_seconds)

    def jobs(self) -> Iterator[Job]:
        """Its jobs as they stand now, the newest first."""
        return self._batches.jobs(self.id)

    def events(self) -> Iterator[CloudEvent]:
        """See `Batches.events`."""
        return self._batches.events(self.id)

    def cancel(self) -> Batch:
        """See `Batches.cancel`."""
        return self._batches.cancel(self.id)
