"""What happens to a tenant's webhooks."""

from typing import ClassVar
from uuid import UUID

from events.envelope import DomainEvent
from schemas.webhooks import PauseReason

TESTED = "webhooks.tested"
"""The type of what `POST /api/webhooks/{id}/test` sends. It is sent and never stored."""


class WebhookPaused(DomainEvent):
    """Nothing is sent to this webhook any more until its owner resumes it: its receiver answered 410, or let nothing
    through for five days. It doesn't mean that events are lost: they are sent once it is resumed."""

    type: ClassVar[str] = "webhooks.paused"

    webhook_id: UUID
    reason: PauseReason
