"""Webhooks as their owners keep them. Signing keys go in wrapped and never come out here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from psycopg.rows import dict_row
from uuid_utils.compat import uuid7

from infrastructure.ports.keys import WrappedKey
from infrastructure.postgres.connections import Connection
from infrastructure.postgres.quotas import WEBHOOKS, has_room
from schemas.webhooks import (
    DeliveryState,
    PauseReason,
    Webhook,
    WebhookDelivery,
    WebhookWanted,
)

OVERLAP_HOURS = 24
"""For so long deliveries are signed with the secret before as well."""
MOST_SECRETS = 3

_COLUMNS = "id, url, types, description, created_at, paused_at, paused_because, failing_since"

_ADD = f"""
INSERT INTO webhooks (id, tenant_id, url, types, description, paused_at, paused_because)
VALUES (%(id)s, %(tenant_id)s, %(url)s, %(types)s::text[], %(description)s, CASE WHEN %(paused)s THEN now() END,
  CASE WHEN %(paused)s THEN '{PauseReason.OWNER}' END)
RETURNING {_COLUMNS}
"""
_LIST = f"SELECT {_COLUMNS} FROM webhooks WHERE tenant_id = %s ORDER BY tenant_id DESC, id DESC LIMIT %s"
_FIND = f"SELECT {_COLUMNS} FROM webhooks WHERE tenant_id = %s AND id = %s"
# A webhook that starts again gets its days of failure anew; one that stays paused keeps when and why.
_CHANGE = f"""
UPDATE webhooks SET url = %(url)s, types = %(types)s::text[], description = %(description)s,
  paused_at = CASE WHEN %(paused)s THEN coalesce(paused_at, now()) END,
  paused_because = CASE WHEN %(paused)s THEN coalesce(paused_because, '{PauseReason.OWNER}') END,
  failing_since = CASE WHEN %(paused)s OR paused_at IS NULL THEN failing_since END
WHERE tenant_id = %(tenant_id)s AND id = %(id)s RETURNING {_COLUMNS}
"""
_REMOVE = "DELETE FROM webhooks WHERE tenant_id = %s AND id = %s"

_ADD_SIGNING_KEY = """
INSERT INTO webhook_secrets (tenant_id, webhook_id, master_key_id, wrapped) VALUES (%s, %s, %s, %s)
"""
_FORGET_SIGNING_KEYS = f"""
DELETE FROM webhook_secrets WHERE tenant_id = %(tenant_id)s AND webhook_id = %(id)s AND (valid_until <= now() OR id IN (
  SELECT id FROM webhook_secrets WHERE tenant_id = %(tenant_id)s AND webhook_id = %(id)s ORDER BY id DESC
  OFFSET {MOST_SECRETS - 1}))
"""
_EXPIRE_SIGNING_KEY = f"""
UPDATE webhook_secrets SET valid_until = now() + interval '{OVERLAP_HOURS} hours'
WHERE tenant_id = %s AND webhook_id = %s AND valid_until IS NULL RETURNING valid_until
"""

_DELIVERY = """id, webhook_id, coalesce(event_job_id || ':' || event_seq, id::text) AS event_id, type, state, job_id,
  attempts, status, duration_seconds, answer_bytes, problem, created_at, attempted_at"""
_TEST = f"""
INSERT INTO webhook_deliveries (id, tenant_id, webhook_id, type, state)
SELECT %(delivery_id)s, tenant_id, id, %(type)s, '{DeliveryState.WAITING}' FROM webhooks
WHERE tenant_id = %(tenant_id)s AND id = %(id)s RETURNING {_DELIVERY}
"""
_DELIVERIES = f"""
SELECT {_DELIVERY} FROM webhook_deliveries
WHERE tenant_id = %(tenant_id)s AND webhook_id = %(webhook_id)s AND id < %(before)s
  AND (%(state)s::text IS NULL OR state = %(state)s)
ORDER BY webhook_id DESC, id DESC LIMIT %(limit)s
"""
# What waits or is on its way already is left as it is, so repeating this is safe.
_REDELIVER = f"""
WITH u AS (
  UPDATE webhook_deliveries SET state = '{DeliveryState.WAITING}', job_id = NULL, attempts = 0
  WHERE tenant_id = %(tenant_id)s AND webhook_id = %(webhook_id)s AND id = %(id)s
    AND state IN ('{DeliveryState.DELIVERED}', '{DeliveryState.FAILED}') RETURNING {_DELIVERY})
SELECT * FROM u UNION ALL
SELECT {_DELIVERY} FROM webhook_deliveries
WHERE tenant_id = %(tenant_id)s AND webhook_id = %(webhook_id)s AND id = %(id)s
  AND state IN ('{DeliveryState.WAITING}', '{DeliveryState.PENDING}')
"""
_REDELIVER_FAILED = f"""
UPDATE webhook_deliveries SET state = '{DeliveryState.WAITING}', job_id = NULL, attempts = 0
WHERE tenant_id = %s AND webhook_id = %s AND state = '{DeliveryState.FAILED}' AND created_at >= %s
"""


async def add(
    connection: Connection, tenant_id: UUID, wanted: WebhookWanted, secret: WrappedKey, *, limit: int
) -> Webhook | None:
    """The new webhook, from this moment on; None when the tenant has `limit` of them already. Wants a transaction."""
    if not await has_room(connection, WEBHOOKS, tenant_id, limit):
        return None
    webhook = await _one(connection, _ADD, {**_wanted(wanted), "id": uuid7(), "tenant_id": tenant_id})
    if webhook is not None:
        await connection.execute(_ADD_SIGNING_KEY, (tenant_id, webhook.id, secret.master_key_id, secret.ciphertext))
    return webhook


async def listed(connection: Connection, tenant_id: UUID, *, limit: int) -> list[Webhook]:
    """The newest first."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_LIST, (tenant_id, limit))
        return [Webhook.model_validate(row) for row in await cursor.fetchall()]


async def find(connection: Connection, tenant_id: UUID, webhook_id: UUID) -> Webhook | None:
    return await _one(connection, _FIND, (tenant_id, webhook_id))


async def change(connection: Connection, tenant_id: UUID, webhook_id: UUID, wanted: WebhookWanted) -> Webhook | None:
    """The webhook as it is now; None when the tenant has no such webhook. Safe to repeat."""
    return await _one(connection, _CHANGE, {**_wanted(wanted), "id": webhook_id, "tenant_id": tenant_id})


async def remove(connection: Connection, tenant_id: UUID, webhook_id: UUID) -> bool:
    """Also its deliveries: jobs that are at one find nothing to do. False when there was none."""
    return (await connection.execute(_REMOVE, (tenant_id, webhook_id))).rowcount > 0


async def change_secret(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, secret: WrappedKey
) -> datetime | None:
    """Until when the one before signs as well; None when the tenant has no such webhook. Wants a transaction."""
    # Of two at once the second must see what the first has made, or both would be the one that stands.
    await connection.execute(
        "SELECT FROM webhooks WHERE tenant_id = %s AND id = %s FOR UPDATE", (tenant_id, webhook_id)
    )
    await connection.execute(_FORGET_SIGNING_KEYS, {"tenant_id": tenant_id, "id": webhook_id})
    row = await (await connection.execute(_EXPIRE_SIGNING_KEY, (tenant_id, webhook_id))).fetchone()
    if row is None:
        return None
    await connection.execute(_ADD_SIGNING_KEY, (tenant_id, webhook_id, secret.master_key_id, secret.ciphertext))
    until: datetime = row[0]
    return until


async def test(connection: Connection, tenant_id: UUID, webhook_id: UUID, kind: str) -> WebhookDelivery | None:
    """A delivery of an event that is stored nowhere; None when the tenant has no such webhook."""
    wanted = {"tenant_id": tenant_id, "id": webhook_id, "delivery_id": uuid7(), "type": kind}
    return next(iter(await _deliveries(connection, _TEST, wanted)), None)


async def deliveries(
    connection: Connection,
    tenant_id: UUID,
    webhook_id: UUID,
    *,
    state: DeliveryState | None,
    before: UUID,
    limit: int,
) -> list[WebhookDelivery]:
    """Up to `limit` of them, the newest first, all older than the delivery `before`."""
    wanted = {"tenant_id": tenant_id, "webhook_id": webhook_id, "state": state, "before": before, "limit": limit}
    return await _deliveries(connection, _DELIVERIES, wanted)


async def redeliver(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, delivery_id: UUID
) -> WebhookDelivery | None:
    """The delivery, about to be sent again; None when there is no such delivery. Safe to repeat."""
    wanted = {"tenant_id": tenant_id, "webhook_id": webhook_id, "id": delivery_id}
    return next(iter(await _deliveries(connection, _REDELIVER, wanted)), None)


async def redeliver_failed(connection: Connection, tenant_id: UUID, webhook_id: UUID, since: datetime) -> int:
    """How many failed ones, made since then, will be sent again."""
    return (await connection.execute(_REDELIVER_FAILED, (tenant_id, webhook_id, since))).rowcount


def _wanted(wanted: WebhookWanted) -> dict[str, object]:
    return {**wanted.model_dump(), "types": list(wanted.types)}


async def _one(
    connection: Connection, statement: str, parameters: Mapping[str, object] | Sequence[object]
) -> Webhook | None:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, parameters)
        row = await cursor.fetchone()
    return None if row is None else Webhook.model_validate(row)


async def _deliveries(connection: Connection, statement: str, wanted: Mapping[str, object]) -> list[WebhookDelivery]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, wanted)
        return [WebhookDelivery.model_validate(row) for row in await cursor.fetchall()]
