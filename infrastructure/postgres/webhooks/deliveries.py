"""The webhook delivery log for the delivering workers: due deliveries and their outcomes. In the system's role."""

from typing import Any
from uuid import UUID

import orjson

from events.envelope import event_id
from infrastructure.ports.keys import WrappedKey
from infrastructure.ports.webhooks import Answered, DueDelivery, Message, Sent
from infrastructure.postgres.events.cloud_events import cloud_event_json
from infrastructure.postgres.session import Connection, PostgresSession
from schemas.problems import Problem
from schemas.webhooks import DeliveryState, PauseReason

MAX_SECRETS = 3
"""Secrets that sign one delivery."""

# A failed delivery is due again when its job is replayed.
_DUE = f"""
SELECT d.event_job_id, d.event_seq, d.type, d.created_at, e.at, e.data::text, w.id, w.url, w.paused_at IS NOT NULL,
  w.failing_since
FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
LEFT JOIN job_events e ON e.job_id = d.event_job_id AND e.seq = d.event_seq
WHERE d.tenant_id = %s AND d.id = %s AND d.job_id = %s
  AND d.state IN ('{DeliveryState.PENDING}', '{DeliveryState.FAILED}')
"""
_SECRETS = f"""
SELECT master_key_id, wrapped FROM webhook_secrets
WHERE webhook_id = %s AND (valid_until IS NULL OR valid_until > now()) ORDER BY webhook_id DESC, id DESC LIMIT {MAX_SECRETS}
"""
_PUT_BACK = (
    f"UPDATE webhook_deliveries SET state = '{DeliveryState.WAITING}', job_id = NULL WHERE id = %s AND job_id = %s"
)

# Matched by job: a late attempt changes nothing once the delivery belongs to another job.
_NOTE = """
WITH d AS (
  UPDATE webhook_deliveries SET state = %(state)s, attempts = attempts + 1, attempted_at = now(), status = %(status)s,
    duration_seconds = %(seconds)s, answer_bytes = %(size)s, problem = %(problem)s::jsonb,
    job_id = CASE WHEN %(state)s <> 'waiting' THEN job_id END
  WHERE id = %(id)s AND job_id = %(job_id)s RETURNING webhook_id)
UPDATE webhooks w SET {change} FROM d WHERE w.id = d.webhook_id AND {needed}
"""
_DELIVERED = _NOTE.format(change="failing_since = NULL", needed="w.failing_since IS NOT NULL")
_FAILED = _NOTE.format(change="failing_since = now()", needed="w.failing_since IS NULL")
_PAUSED = _NOTE.format(
    change="paused_at = now(), paused_because = %(reason)s, failing_since = coalesce(w.failing_since, now())",
    needed="w.paused_at IS NULL",
)


class StoredDeliveries:
    """The delivery log in PostgreSQL. The session's time zone must be UTC."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    async def due(self, tenant_id: UUID, delivery_id: UUID, job_id: UUID) -> DueDelivery | None:
        async def read(connection: Connection) -> DueDelivery | None:
            row = await (await connection.execute(_DUE, (tenant_id, delivery_id, job_id))).fetchone()
            if row is None:
                return None
            found = await connection.execute(_SECRETS, (row[6],))
            secrets = tuple([WrappedKey(name, bytes(wrapped)) for name, wrapped in await found.fetchall()])
            return _due(delivery_id, row, secrets)

        return await self._session.run(read)

    async def put_back(self, delivery_id: UUID, job_id: UUID) -> None:
        await self._session.run(lambda connection: connection.execute(_PUT_BACK, (delivery_id, job_id)))

    async def delivered(self, delivery_id: UUID, job_id: UUID, sent: Sent) -> None:
        await self._note(_DELIVERED, _noted(delivery_id, job_id, sent, DeliveryState.DELIVERED))

    async def failed(self, delivery_id: UUID, job_id: UUID, sent: Sent, problem: Problem, *, final: bool) -> None:
        state = DeliveryState.FAILED if final else DeliveryState.PENDING
        await self._note(_FAILED, _noted(delivery_id, job_id, sent, state, problem))

    async def paused(self, delivery_id: UUID, job_id: UUID, sent: Sent, problem: Problem, reason: PauseReason) -> None:
        noted = _noted(delivery_id, job_id, sent, DeliveryState.WAITING, problem)
        await self._note(_PAUSED, {**noted, "reason": reason})

    async def _note(self, statement: str, noted: dict[str, object]) -> None:
        await self._session.run(lambda connection: connection.execute(statement, noted))


def _due(delivery_id: UUID, row: tuple[Any, ...], secrets: tuple[WrappedKey, ...]) -> DueDelivery:
    event_job_id, seq, kind, created_at, at, data, webhook_id, url, paused, failing_since = row
    if event_job_id is None:
        message = Message(url, str(delivery_id), _test_event(delivery_id, webhook_id, kind, created_at), secrets)
    elif at is None:
        return DueDelivery(delivery_id, webhook_id, paused, failing_since, None)
    else:
        body = cloud_event_json(event_job_id, seq, kind, at, data)
        message = Message(url, event_id(event_job_id, seq), body, secrets)
    return DueDelivery(delivery_id, webhook_id, paused, failing_since, message)


def _test_event(delivery_id: UUID, webhook_id: UUID, kind: str, at: object) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(delivery_id),
            "source": f"/api/webhooks/{webhook_id}",
            "type": kind,
            "subject": str(webhook_id),
            "time": at,
            "datacontenttype": "application/json",
            "data": {"webhook_id": str(webhook_id)},
        },
        option=orjson.OPT_UTC_Z,
    )


def _noted(
    delivery_id: UUID, job_id: UUID, sent: Sent, state: DeliveryState, problem: Problem | None = None
) -> dict[str, object]:
    answered = sent if isinstance(sent, Answered) else None
    return {
        "id": delivery_id,
        "job_id": job_id,
        "state": state,
        "status": answered and answered.status,
        "seconds": sent.seconds,
        "size": answered and answered.size_bytes,
        "problem": None if problem is None else problem.model_dump_json(exclude_defaults=True),
    }
