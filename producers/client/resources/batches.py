"""Batches as the client sees them: many commands at once, how far they are, and their end. See `producers.client.blocking`."""

import time
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from uuid import UUID, uuid4

import orjson

from events.envelope import CloudEvent
from producers.client.exchange import JSON, LONGEST_POLL_SECONDS, Outcome, Request, ResultTimeout, Step, exchange
from producers.client.ports import AsyncClient, Client
from producers.client.sse import Following
from schemas.batches import Batch, BatchAccepted, ItemAnswer
from schemas.commands import Command
from schemas.jobs import Job


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


def submission_of_many(
    commands: Iterable[Command | BatchJob], name: str, atomic: bool, idempotency_key: str | None
) -> Generator[Step, Outcome, BatchAccepted]:
    headers = {**JSON, "idempotency-key": idempotency_key or str(uuid4())}
    body = orjson.dumps({"jobs": [_item(one) for one in commands], "name": name, "atomic": atomic})
    reply = yield from exchange(Request("POST", "/api/jobs/batch", headers, body))
    return BatchAccepted.model_validate_json(reply.body)


def _item(given: Command | BatchJob) -> dict[str, object]:
    wanted = given if isinstance(given, BatchJob) else BatchJob(given)
    options = {
        "priority": wanted.priority,
        "run_at": wanted.run_at,
        "deadline": wanted.deadline,
        "idempotency_key": wanted.idempotency_key,
        "concurrency_key": wanted.concurrency_key,
        "concurrency_limit": wanted.concurrency_limit,
    }
    return {
        "kind": wanted.command.kind,
        "command": wanted.command.model_dump(mode="json", exclude_unset=True),
        **{option: value for option, value in options.items() if value is not None},
    }


def reading_batch(batch_id: UUID, wait_seconds: int = 0) -> Generator[Step, Outcome, Batch]:
    headers = {"prefer": f"wait={wait_seconds}"} if wait_seconds else {}
    reply = yield from exchange(Request("GET", f"/api/batches/{batch_id}", headers, patience_seconds=wait_seconds))
    return Batch.model_validate_json(reply.body)


def awaiting_batch(batch_id: UUID, timeout_seconds: float | None) -> Generator[Step, Outcome, Batch]:
    """The batch once it has ended. ResultTimeout when that takes longer; None waits for ever."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left = LONGEST_POLL_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
        batch = yield from reading_batch(batch_id, min(LONGEST_POLL_SECONDS, ceil(left)))
        if batch.finished:
            return batch
        if deadline is not None and time.monotonic() >= deadline:
            raise ResultTimeout(f"batch {batch_id} is done to {batch.fraction:.0%} after {timeout_seconds:g} s")


def cancelling_batch(batch_id: UUID) -> Generator[Step, Outcome, Batch]:
    reply = yield from exchange(Request("POST", f"/api/batches/{batch_id}/cancel"))
    return Batch.model_validate_json(reply.body)


class BatchHandle:
    """A batch of yours. `outcomes` says what became of each command, in order, when this client submitted it."""

    def __init__(self, client: Client, batch_id: UUID, outcomes: tuple[ItemAnswer, ...] = ()) -> None:
        self._client = client
        self.id = batch_id
        self.outcomes = outcomes

    def progress(self) -> Batch:
        """How many of its jobs are in which state now."""
        return self._client.carry_out(reading_batch(self.id))

    def wait(self, timeout_seconds: float | None = None) -> Batch:
        """The batch as soon as every job of it has ended, in whatever way. ResultTimeout; None waits for ever."""
        return self._client.carry_out(awaiting_batch(self.id, timeout_seconds))

    def jobs(self) -> Iterator[Job]:
        """Its jobs as they stand now, the newest first."""
        return self._client.jobs(batch_id=self.id)

    def events(self) -> Iterator[CloudEvent]:
        """What happens to the batch itself until it has ended: `batch.completed` comes once."""
        return self._client.follow(Following.job(self.id))

    def cancel(self) -> Batch:
        """Ends every job of it that hasn't ended. ProblemAnswer when the batch has completed already."""
        return self._client.carry_out(cancelling_batch(self.id))


class AsyncBatchHandle:
    """See `BatchHandle`."""

    def __init__(self, client: AsyncClient, batch_id: UUID, outcomes: tuple[ItemAnswer, ...] = ()) -> None:
        self._client = client
        self.id = batch_id
        self.outcomes = outcomes

    async def progress(self) -> Batch:
        """See `BatchHandle.progress`."""
        return await self._client.carry_out(reading_batch(self.id))

    async def wait(self, timeout_seconds: float | None = None) -> Batch:
        """See `BatchHandle.wait`."""
        return await self._client.carry_out(awaiting_batch(self.id, timeout_seconds))

    def jobs(self) -> AsyncIterator[Job]:
        """See `BatchHandle.jobs`."""
        return self._client.jobs(batch_id=self.id)

    def events(self) -> AsyncIterator[CloudEvent]:
        """See `BatchHandle.events`."""
        return self._client.follow(Following.job(self.id))

    async def cancel(self) -> Batch:
        """See `BatchHandle.cancel`."""
        return await self._client.carry_out(cancelling_batch(self.id))
