"""Protocols of webhook delivery."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from infrastructure.ports.keys import WrappedKey
from schemas.problems import Problem
from schemas.webhooks import PauseReason


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery to send: a CloudEvent, its receiver and the signing secrets."""

    url: str
    id: str
    """The same at every attempt, so that receivers can deduplicate."""
    body: bytes = field(repr=False)
    secrets: tuple[WrappedKey, ...]
    """The message is signed with each."""


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that is due."""

    id: UUID
    webhook_id: UUID
    paused: bool
    failing_since: datetime | None
    message: Message | None
    """None when retention has deleted the event."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The receiver's response. Its body isn't kept: it may quote the request."""

    status: int
    seconds: float
    size_bytes: int
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NotReached:
    """The attempt got no response, and why."""

    problem: Problem
    seconds: float


Sent = Answered | NotReached


class Receivers(Protocol):
    """Sends webhooks."""

    async def send(self, message: Message) -> Sent:
        """Makes one attempt, within a bounded time. Safe to repeat if the receiver deduplicates by id."""
        ...


class Deliveries(Protocol):
    """The delivery log."""

    async def due(self, tenant_id: UUID, delivery_id: UUID, job_id: UUID) -> DueDelivery | None:
        """None when there is nothing left to do: it was delivered, another job has it, or its webhook is gone."""
        ...

    async def put_back(self, delivery_id: UUID, job_id: UUID) -> None:
        """Puts the delivery back to wait until its webhook is resumed."""
        ...

    async def delivered(self, delivery_id: UUID, job_id: UUID, sent: Sent) -> None: ...

    async def failed(self, delivery_id: UUID, job_id: UUID, sent: Sent, problem: Problem, *, final: bool) -> None: ...

    async def paused(self, delivery_id: UUID, job_id: UUID, sent: Sent, problem: Problem, reason: PauseReason) -> None:
        """Pauses the webhook; the delivery waits until it is resumed."""
        ...
