"""Events of a tenant's webhooks."""

from typing import ClassVar
from uuid import UUID

from events.envelope import Commands, DomainEvent
from schemas.webhooks import DeliverWebhook, PauseReason

TESTED = "webhooks.tested"
"""The type of the test event that `POST /api/webhooks/{id}/test` sends. It is never stored."""


class WebhookPaused(DomainEvent):
    """The webhook was paused, because its receiver answered 410 or every delivery failed for five days. Nothing is sent
    until its owner resumes it. It doesn't mean that events are lost: they are sent once it is resumed."""

    type: ClassVar[str] = "webhooks.paused"
    result_of: ClassVar[Commands] = (DeliverWebhook,)

    webhook_id: UUID
    reason: PauseReason
