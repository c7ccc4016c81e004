"""Webhooks and their deliveries."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.commands import Command, Jitter, RetryPolicy
from schemas.event_patterns import EventPatterns
from schemas.model import Model
from schemas.problems import Problem
from schemas.timestamps import Moment

MAX_ATTEMPTS = 8


class WebhookRequest(Model):
    """The settings of a webhook."""

    url: Annotated[str, Field(min_length=1, max_length=2_000, examples=["https://example.com/bucatini"])]
    """`https`, a public address, port 443 or one above 1023."""
    types: EventPatterns = ("*",)
    """Patterns of the event types to send, such as `ai.*` and `job.failed`."""
    description: Annotated[str, Field(max_length=200)] = ""
    paused: bool = False
    """While paused, nothing is sent. Events from that time are sent once it is resumed."""


class PauseReason(StrEnum):
    OWNER = "owner"
    GONE = "gone"
    """The receiver answered 410 Gone."""
    FAILING = "failing"
    """Every delivery failed for five days."""
    SUSPENDED = "tenant-suspended"


class Webhook(Model):
    id: UUID
    url: str
    types: tuple[str, ...]
    description: str
    created_at: datetime
    paused_at: datetime | None = None
    paused_because: PauseReason | None = None
    failing_since: datetime | None = None
    """When the first failure since the last success happened."""


class WebhookCreated(Webhook):
    secret: str
    """The signing secret (`whsec_…`). It is stored encrypted and shown only this once."""


class Webhooks(Model):
    webhooks: tuple[Webhook, ...]


class NewSecret(Model):
    secret: str
    """Shown only this once. Deliveries are also signed with the previous secret until `previous_until`."""
    previous_until: datetime


class DeliveryState(StrEnum):
    WAITING = "waiting"
    """It has no job yet: it is about to be sent, or waits for the webhook to be resumed."""
    PENDING = "pending"
    """Its job is queued, running or retrying."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Its attempts are used up. Redeliver it once the receiver works again."""


class WebhookDelivery(Model):
    """The delivery of one event to one webhook, with the result of its last attempt."""

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
    """How much of the response was read; its content isn't stored."""
    problem: Problem | None = None
    created_at: datetime
    attempted_at: datetime | None = None


class WebhookDeliveries(Model):
    deliveries: tuple[WebhookDelivery, ...]
    next_cursor: str | None = None


class RedeliverFailed(Model):
    since: Moment
    """Redelivers failed deliveries of events since this time (RFC 3339)."""


class Redelivery(Model):
    deliveries: int
    """The number of deliveries that will be sent again."""


class DeliverWebhook(Command):
    """Sends one event to one webhook. Submitted by the dispatcher, never by clients."""

    kind: ClassVar[str] = "jobs.deliver_webhook"
    queue: ClassVar[str] = "webhooks"
    internal: ClassVar[bool] = True
    max_attempts: ClassVar[int] = MAX_ATTEMPTS
    time_limit_seconds: ClassVar[float] = 120.0
    # Applies to failures outside an HTTP attempt; those follow `workers/webhooks/delivery_policy.py`.
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=300.0, most_seconds=36_000.0, jitter=Jitter.EQUAL)

    delivery_id: UUID
