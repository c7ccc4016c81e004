"""Examples of webhooks and consumer groups: how events leave."""

from datetime import timedelta
from uuid import UUID

from api.documentation.examples.jobs import A_SECOND_LATER, CURSOR, JOB_ID, NOON
from events.envelope import CloudEvent, event_id, job_source
from events.groups import GroupEvent, GroupEvents
from schemas.groups import Acknowledged, AcknowledgeEvents, Group, GroupRequest, Groups, Released, TakeEvents
from schemas.webhooks import (
    DeliveryState,
    NewSecret,
    RedeliverFailed,
    Redelivery,
    Webhook,
    WebhookCreated,
    WebhookDeliveries,
    WebhookDelivery,
    WebhookRequest,
    Webhooks,
)

_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105  # an example of one, which opens nothing
_WEBHOOK = Webhook(
    id=UUID("0199a1b2-7c44-7c3b-8a2f-5d6e7f8a9b0c"),
    url="https://example.com/bucatini",
    types=("ai.*", "job.failed"),
    description="the archive",
    created_at=NOON,
)
_DELIVERY = WebhookDelivery(
    id=UUID("0199a1b2-7c45-7d4c-9b3a-6e7f8a9b0c1d"),
    webhook_id=_WEBHOOK.id,
    event_id=event_id(JOB_ID, 3),
    type="ai.document_processed",
    state=DeliveryState.DELIVERED,
    job_id=UUID("0199a1b2-7c46-7e5d-8c4b-7f8a9b0c1d2e"),
    attempts=1,
    status=204,
    duration_seconds=0.12,
    answer_bytes=0,
    created_at=NOON,
    attempted_at=A_SECOND_LATER,
)
_GROUP = Group(name="billing", types=("search.*",), created_at=NOON, held=3, leased=1, parked=0)
_RECEIPT = f"{JOB_ID}:3:0199a1b2-7c47-7f6e-9d5c-8a9b0c1d2e3f"
EVENT = CloudEvent(
    id=event_id(JOB_ID, 3),
    source=job_source(JOB_ID),
    type="ai.document_processed",
    subject=str(JOB_ID),
    time=A_SECOND_LATER,
    data={"document_id": "contracts/2026/0117", "language": "en"},
)

ANSWERS = (
    _WEBHOOK,
    WebhookCreated(**_WEBHOOK.model_dump(), secret=_SECRET),
    Webhooks(webhooks=(_WEBHOOK,)),
    NewSecret(secret=_SECRET, previous_until=NOON + timedelta(days=1)),
    _DELIVERY,
    WebhookDeliveries(deliveries=(_DELIVERY,), next_cursor=CURSOR),
    Redelivery(deliveries=12),
    _GROUP,
    Groups(groups=(_GROUP,)),
    GroupEvents(events=(GroupEvent(receipt=_RECEIPT, deliveries=1, event=EVENT),)),
    Acknowledged(events=1),
    Released(events=2),
)
REQUESTS = (
    WebhookRequest(url="https://example.com/bucatini", types=("ai.*", "job.failed"), description="the archive"),
    RedeliverFailed(since=NOON),
    GroupRequest(types=("search.*",)),
    TakeEvents(most=20, lease_seconds=60.0),
    AcknowledgeEvents(receipts=(_RECEIPT,)),
)
