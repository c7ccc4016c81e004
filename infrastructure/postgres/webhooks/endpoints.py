"""CRUD of webhooks for their owners. Signing keys are stored wrapped and never read here.

The example to follow for a repository on SQLAlchemy: functions that take the tenant's session, and statements on the
tables as infrastructure/postgres/tables declares them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Text, case, cast, delete, func, insert, literal, or_, select, update
from uuid_utils.compat import uuid7

from infrastructure.ports.keys import WrappedKey
from infrastructure.postgres.tables.webhooks import webhook_deliveries, webhook_secrets, webhooks
from infrastructure.postgres.tenants.quotas import WEBHOOKS, check_room
from infrastructure.postgres.tenants.sessions import TenantSession
from infrastructure.postgres.webhooks.deliveries import MAX_SECRETS
from schemas.webhooks import (
    DeliveryState,
    PauseReason,
    Webhook,
    WebhookDelivery,
    WebhookRequest,
)

OVERLAP_HOURS = 24
"""How long deliveries are also signed with the previous secret."""

Where = tuple[ColumnElement[bool], ...]

_WEBHOOK: Final = tuple(webhooks.c[name] for name in Webhook.model_fields)
_EVENT_ID: Final = func.coalesce(
    cast(webhook_deliveries.c.event_job_id, Text) + ":" + cast(webhook_deliveries.c.event_seq, Text),
    cast(webhook_deliveries.c.id, Text),
).label("event_id")
_DELIVERY: Final = tuple(
    _EVENT_ID if name == _EVENT_ID.name else webhook_deliveries.c[name] for name in WebhookDelivery.model_fields
)
_SEND_AGAIN: Final[Mapping[str, Any]] = {"state": DeliveryState.WAITING, "job_id": None, "attempts": 0}


async def add(session: TenantSession, tenant_id: UUID, wanted: WebhookRequest, secret: WrappedKey) -> Webhook:
    """Adds a webhook, which gets events from now on. Raises QuotaExceeded when the tenant has too many."""
    await check_room(session.driver, WEBHOOKS, tenant_id)
    new = insert(webhooks).values(
        id=uuid7(),
        tenant_id=tenant_id,
        **_decided(wanted),
        paused_at=func.now() if wanted.paused else None,
        paused_because=PauseReason.OWNER if wanted.paused else None,
    )
    webhook = await _webhook(session, new.returning(*_WEBHOOK))
    assert webhook is not None, "the statement returns what it added"
    await _add_signing_key(session, tenant_id, webhook.id, secret)
    return webhook


async def listed(session: TenantSession, tenant_id: UUID, *, limit: int) -> list[Webhook]:
    """The newest first."""
    own = select(*_WEBHOOK).where(webhooks.c.tenant_id == tenant_id)
    newest_first = own.order_by(webhooks.c.tenant_id.desc(), webhooks.c.id.desc())
    found = await session.execute(newest_first.limit(limit))
    return [Webhook.model_validate(row) for row in found.mappings()]


async def find(session: TenantSession, tenant_id: UUID, webhook_id: UUID) -> Webhook | None:
    return await _webhook(session, select(*_WEBHOOK).where(*_is(tenant_id, webhook_id)))


async def change(session: TenantSession, tenant_id: UUID, webhook_id: UUID, wanted: WebhookRequest) -> Webhook | None:
    """Updates the webhook and returns it; None when the tenant has no such webhook. Safe to repeat."""
    changed = update(webhooks).where(*_is(tenant_id, webhook_id)).values(**_decided(wanted), **_pause(wanted))
    return await _webhook(session, changed.returning(*_WEBHOOK))


async def remove(session: TenantSession, tenant_id: UUID, webhook_id: UUID) -> bool:
    """Deletes the webhook and its deliveries; jobs that deliver one find nothing to do. False when there was none."""
    removed = await session.execute(delete(webhooks).where(*_is(tenant_id, webhook_id)).returning(webhooks.c.id))
    return removed.first() is not None


async def change_secret(
    session: TenantSession, tenant_id: UUID, webhook_id: UUID, secret: WrappedKey
) -> datetime | None:
    """Adds a secret, and returns until when the previous one signs too; None when the tenant has no such webhook."""
    # Locks the webhook, so that of two concurrent calls the second expires the first one's secret.
    await session.execute(select(webhooks.c.id).where(*_is(tenant_id, webhook_id)).with_for_update())
    await _delete_signing_keys(session, tenant_id, webhook_id)
    until = await _expire_signing_key(session, tenant_id, webhook_id)
    if until is not None:
        await _add_signing_key(session, tenant_id, webhook_id, secret)
    return until


async def test(session: TenantSession, tenant_id: UUID, webhook_id: UUID, kind: str) -> WebhookDelivery | None:
    """Adds a delivery of a test event; None when the tenant has no such webhook."""
    made = select(
        literal(uuid7()), webhooks.c.tenant_id, webhooks.c.id, literal(kind), literal(DeliveryState.WAITING.value)
    ).where(*_is(tenant_id, webhook_id))
    new = insert(webhook_deliveries).from_select(["id", "tenant_id", "webhook_id", "type", "state"], made)
    return next(iter(await _deliveries(session, new.returning(*_DELIVERY))), None)


async def deliveries(
    session: TenantSession,
    tenant_id: UUID,
    webhook_id: UUID,
    *,
    state: DeliveryState | None,
    before: UUID,
    limit: int,
) -> list[WebhookDelivery]:
    """Up to `limit` deliveries, the newest first, all older than the delivery `before`."""
    found = select(*_DELIVERY).where(*_sent_to(tenant_id, webhook_id), webhook_deliveries.c.id < before)
    if state is not None:
        found = found.where(webhook_deliveries.c.state == state)
    newest_first = found.order_by(webhook_deliveries.c.webhook_id.desc(), webhook_deliveries.c.id.desc())
    return await _deliveries(session, newest_first.limit(limit))


async def redeliver(
    session: TenantSession, tenant_id: UUID, webhook_id: UUID, delivery_id: UUID
) -> WebhookDelivery | None:
    """Queues the delivery to be sent again, and returns it; None when there is no such delivery. Safe to repeat."""
    own = (*_sent_to(tenant_id, webhook_id), webhook_deliveries.c.id == delivery_id)
    ended = webhook_deliveries.c.state.in_([DeliveryState.DELIVERED, DeliveryState.FAILED])
    again = update(webhook_deliveries).where(*own, ended).values(_SEND_AGAIN).returning(*_DELIVERY).cte("again")
    # A delivery that waits or is in flight stays as it is.
    on_its_way = select(*_DELIVERY).where(*own, ~ended)
    return next(iter(await _deliveries(session, select(again).union_all(on_its_way))), None)


async def redeliver_failed(session: TenantSession, tenant_id: UUID, webhook_id: UUID, since: datetime) -> int:
    """Queues the failed deliveries made since then to be sent again, and returns how many."""
    failed = (webhook_deliveries.c.state == DeliveryState.FAILED, webhook_deliveries.c.created_at >= since)
    again = update(webhook_deliveries).where(*_sent_to(tenant_id, webhook_id), *failed).values(_SEND_AGAIN)
    connection = await session.connection()
    return (await connection.execute(again)).rowcount


async def _add_signing_key(session: TenantSession, tenant_id: UUID, webhook_id: UUID, secret: WrappedKey) -> None:
    wrapped = {"master_key_id": secret.master_key_id, "wrapped": secret.ciphertext}
    await session.execute(insert(webhook_secrets).values(tenant_id=tenant_id, webhook_id=webhook_id, **wrapped))


async def _delete_signing_keys(session: TenantSession, tenant_id: UUID, webhook_id: UUID) -> None:
    """Deletes expired signing keys, and the oldest others to make room for a new one."""
    own = _signs(tenant_id, webhook_id)
    older = select(webhook_secrets.c.id).where(*own).order_by(webhook_secrets.c.id.desc()).offset(MAX_SECRETS - 1)
    needless = or_(webhook_secrets.c.valid_until <= func.now(), webhook_secrets.c.id.in_(older))
    await session.execute(delete(webhook_secrets).where(*own, needless))


async def _expire_signing_key(session: TenantSession, tenant_id: UUID, webhook_id: UUID) -> datetime | None:
    standing = update(webhook_secrets).where(*_signs(tenant_id, webhook_id), webhook_secrets.c.valid_until.is_(None))
    expiring = standing.values(valid_until=func.now() + timedelta(hours=OVERLAP_HOURS))
    until: datetime | None = await session.scalar(expiring.returning(webhook_secrets.c.valid_until))
    return until


def _decided(wanted: WebhookRequest) -> dict[str, Any]:
    return {"url": wanted.url, "types": list(wanted.types), "description": wanted.description}


def _pause(wanted: WebhookRequest) -> dict[str, Any]:
    """The pause columns: resuming resets `failing_since`; one that stays paused keeps when and why."""
    is_paused = webhooks.c.paused_at.is_not(None)
    if not wanted.paused:
        # One that isn't paused keeps it.
        return {
            "paused_at": None,
            "paused_because": None,
            "failing_since": case((is_paused, None), else_=webhooks.c.failing_since),
        }
    return {
        "paused_at": func.coalesce(webhooks.c.paused_at, func.now()),
        "paused_because": func.coalesce(webhooks.c.paused_because, PauseReason.OWNER.value),
    }


def _is(tenant_id: UUID, webhook_id: UUID) -> Where:
    return webhooks.c.tenant_id == tenant_id, webhooks.c.id == webhook_id


def _sent_to(tenant_id: UUID, webhook_id: UUID) -> Where:
    return webhook_deliveries.c.tenant_id == tenant_id, webhook_deliveries.c.webhook_id == webhook_id


def _signs(tenant_id: UUID, webhook_id: UUID) -> Where:
    return webhook_secrets.c.tenant_id == tenant_id, webhook_secrets.c.webhook_id == webhook_id


async def _webhook(session: TenantSession, statement: Executable) -> Webhook | None:
    row = (await session.execute(statement)).mappings().first()
    return None if row is None else Webhook.model_validate(row)


async def _deliveries(session: TenantSession, statement: Executable) -> list[WebhookDelivery]:
    return [WebhookDelivery.model_validate(row) for row in (await session.execute(statement)).mappings()]
