"""Webhooks: where a tenant wants its events sent, and what became of each sending."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.commands import Command, Jitter, Queue, RetryPolicy
from schemas.event_patterns import EventPatterns
from schemas.model import Model
from schemas.problems import Problem

MAX_ATTEMPTS = 8


class WebhookRequest(Model):
    """What its owner decides of a webhook."""

    url: Annotated[str, Field(min_length=1, max_length=2_000, examples=["https://example.com/bucatini"])]
    """`https`, a public address, port 443 or one above 1023."""
    types: EventPatterns = ("*",)
    """Which types of event, such as `ai.*` and `job.failed`."""
    description: Annotated[str, Field(max_length=200)] = ""
    paused: bool = False
    """While it is, nothing is sent. What happens meanwhile is sent once it isn't any more."""


class PauseReason(StrEnum):
    OWNER = "owner"
    GONE = "gone"
    """The receiver answered 410: it wants nothing any more."""
    FAILING = "failing"
    """Nothing got through for five days."""


class Webhook(Model):
    id: UUID
    url: str
    types: tuple[str, ...]
    description: str
    created_at: datetime
    paused_at: datetime | None = None
    paused_because: PauseReason | None = None
    failing_since: datetime | None = None
    """When the first of the failures came that no success has followed yet."""


class WebhookCreated(Webhook):
    secret: str
    """What deliveries are signed with (`whsec_…`). It is stored sealed, so this is the one time it is shown."""


class Webhooks(Model):
    webhooks: tuple[Webhook, ...]


class NewSecret(Model):
    secret: str
    """Shown this once. Deliveries are signed with the one before as well until `previous_until`."""
    previous_until: datetime


class DeliveryState(StrEnum):
    WAITING = "waiting"
    """For a job: it is about to be sent, or will be when the webhook isn't paused any more."""
    PENDING = "pending"
    """Its job is at it."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Its attempts are spent. Redeliver it once the receiver works again."""


class WebhookDelivery(Model):
    """One event on its way to one webhook, with what its last attempt brought."""

    id: UUID
    webhook_id: UUID
    event_id: str
    """The CloudEvent's id, and the header `webhook-id`."""
    type: str
    state: DeliveryState
    job_id: UUID | None = None
    """The job that delivers it; its timeline has every attempt."""
    attempts: int
    status: int | None = None
    """The HTTP status that the receiver answered."""
    duration_seconds: float | None = None
    answer_bytes: int | None = None
    """How much of the answer was read; its text isn't kept."""
    problem: Problem | None = None
    created_at: datetime
    attempted_at: datetime | None = None


class WebhookDeliveries(Model):
    deliveries: tuple[WebhookDelivery, ...]
    next_cursor: str | None = None


class Redelivery(Model):
    deliveries: int
    """How many will be sent again."""


class DeliverWebhook(Command):
    """Sends one event to one webhook. Made by the dispatcher, never submitted."""

    kind: ClassVar[str] = "jobs.deliver_webhook"
    queue: ClassVar[Queue] = Queue.WEBHOOKS
    max_attempts: ClassVar[int] = MAX_ATTEMPTS
    time_limit_seconds: ClassVar[float] = 120.0
    # For what fails before there is an attempt or after it; attempts go by `workers/webhooks/delivery_policy.py`.
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=300.0, most_seconds=36_000.0, jitter=Jitter.EQUAL)

    delivery_id: UUID
