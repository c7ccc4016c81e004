"""What delivering webhooks calls on."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from infrastructure.ports.keys import WrappedKey
from schemas.problems import Problem
from schemas.webhooks import PauseReason


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver gets: a CloudEvent, and who vouches for it."""

    url: str
    id: str
    """The same whenever the event is sent again."""
    body: bytes = field(repr=False)
    secrets: tuple[WrappedKey, ...]
    """It is signed with each."""


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery whose turn it is, as it stands."""

    id: UUID
    webhook_id: UUID
    paused: bool
    failing_since: datetime | None
    message: Message | None
    """None when the event isn't kept any more."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The receiver's answer. Its text isn't kept: it may quote what it was sent."""

    status: int
    seconds: float
    size_bytes: int
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NotReached:
    """There was no answer, and why."""

    problem: Problem
    seconds: float


Sent = Answered | NotReached


class Receivers(Protocol):
    """The outside, as far as webhooks may reach it."""

    async def send(self, message: Message) -> Sent:
        """What came of one attempt, within a bounded time. Safe to repeat as far as the receiver heeds the id."""
        ...


class Deliveries(Protocol):
    """The delivery log."""

    async def due(self, tenant_id: UUID, delivery_id: UUID, job_id: UUID) -> DueDelivery | None:
        """None when there is nothing left to do: it was delivered, another job has it, or its webhook is gone."""
        ...

    async def put_back(self, delivery_id: UUID, job_id: UUID) -> None:
        """It waits until its webhook isn't paused any more."""
        ...

    async def delivered(self, delivery_id: UUID, job_id: UUID, sent: Sent) -> None: ...

    async def failed(self, delivery_id: UUID, job_id: UUID, sent: Sent, problem: Problem, *, final: bool) -> None: ...

    async def paused(self, delivery_id: UUID, job_id: UUID, sent: Sent, problem: Problem, reason: PauseReason) -> None:
        """Pauses the webhook; the delivery waits until it isn't any more."""
        ...
