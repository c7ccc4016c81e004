"""Webhooks as the client speaks of them: the conversations, then the two shells that carry them out."""

from collections.abc import Generator
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from producers.client.exchange import JSON, Outcome, Request, Step, exchange
from producers.client.ports import AsyncClient, Client
from schemas.model import Model
from schemas.webhooks import (
    NewSecret,
    Redelivery,
    Webhook,
    WebhookCreated,
    WebhookDeliveries,
    WebhookDelivery,
    WebhookRequest,
)
from schemas.webhooks import Webhooks as WebhookList

M = TypeVar("M", bound=Model)

HERE = "/api/webhooks"
SHOWN = 50


def asking(method: str, path: str, answer: type[M], body: bytes | None = None) -> Generator[Step, Outcome, M]:
    reply = yield from exchange(Request(method, HERE + path, {} if body is None else JSON, body))
    return answer.model_validate_json(reply.body)


def removing(webhook_id: UUID) -> Generator[Step, Outcome, None]:
    yield from exchange(Request("DELETE", f"{HERE}/{webhook_id}"))


def creating(wanted: WebhookRequest) -> Generator[Step, Outcome, WebhookCreated]:
    return asking("POST", "", WebhookCreated, wanted.model_dump_json().encode())


def changing(webhook_id: UUID, wanted: WebhookRequest) -> Generator[Step, Outcome, Webhook]:
    return asking("PUT", f"/{webhook_id}", Webhook, wanted.model_dump_json().encode())


def deliveries_of(webhook_id: UUID, limit: int) -> Generator[Step, Outcome, WebhookDeliveries]:
    return asking("GET", f"/{webhook_id}/deliveries?limit={limit}", WebhookDeliveries)


def redelivering(webhook_id: UUID, delivery_id: UUID) -> Generator[Step, Outcome, WebhookDelivery]:
    return asking("POST", f"/{webhook_id}/deliveries/{delivery_id}/redeliver", WebhookDelivery)


def redelivering_failed(webhook_id: UUID, since: datetime) -> Generator[Step, Outcome, Redelivery]:
    body = b'{"since":"%s"}' % since.isoformat().encode()
    return asking("POST", f"/{webhook_id}/redeliver-failed", Redelivery, body)


class Webhooks:
    """Your webhooks, by the blocking client. Times need a time zone."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> tuple[Webhook, ...]:
        return self._client.carry_out(asking("GET", "", WebhookList)).webhooks

    def create(self, wanted: WebhookRequest) -> WebhookCreated:
        """With its secret, which is shown this once. When the answer is lost, a repeat may make a second one."""
        return self._client.carry_out(creating(wanted))

    def show(self, webhook_id: UUID) -> Webhook:
        return self._client.carry_out(asking("GET", f"/{webhook_id}", Webhook))

    def change(self, webhook_id: UUID, wanted: WebhookRequest) -> Webhook:
        """Also pauses and resumes it."""
        return self._client.carry_out(changing(webhook_id, wanted))

    def remove(self, webhook_id: UUID) -> None:
        self._client.carry_out(removing(webhook_id))

    def rotate_secret(self, webhook_id: UUID) -> NewSecret:
        """Deliveries are signed with both until `previous_until`."""
        return self._client.carry_out(asking("POST", f"/{webhook_id}/rotate-secret", NewSecret))

    def test(self, webhook_id: UUID) -> WebhookDelivery:
        return self._client.carry_out(asking("POST", f"/{webhook_id}/test", WebhookDelivery))

    def deliveries(self, webhook_id: UUID, limit: int = SHOWN) -> tuple[WebhookDelivery, ...]:
        """The newest first."""
        return self._client.carry_out(deliveries_of(webhook_id, limit)).deliveries

    def redeliver(self, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        return self._client.carry_out(redelivering(webhook_id, delivery_id))

    def redeliver_failed(self, webhook_id: UUID, since: datetime) -> int:
        """How many failed ones, made since then, are sent again."""
        return self._client.carry_out(redelivering_failed(webhook_id, since)).deliveries


class AsyncWebhooks:
    """The same for asyncio."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self) -> tuple[Webhook, ...]:
        return (await self._client.carry_out(asking("GET", "", WebhookList))).webhooks

    async def create(self, wanted: WebhookRequest) -> WebhookCreated:
        """See `Webhooks.create`."""
        return await self._client.carry_out(creating(wanted))

    async def show(self, webhook_id: UUID) -> Webhook:
        return await self._client.carry_out(asking("GET", f"/{webhook_id}", Webhook))

    async def change(self, webhook_id: UUID, wanted: WebhookRequest) -> Webhook:
        """See `Webhooks.change`."""
        return await self._client.carry_out(changing(webhook_id, wanted))

    async def remove(self, webhook_id: UUID) -> None:
        await self._client.carry_out(removing(webhook_id))

    async def rotate_secret(self, webhook_id: UUID) -> NewSecret:
        """See `Webhooks.rotate_secret`."""
        return await self._client.carry_out(asking("POST", f"/{webhook_id}/rotate-secret", NewSecret))

    async def test(self, webhook_id: UUID) -> WebhookDelivery:
        return await self._client.carry_out(asking("POST", f"/{webhook_id}/test", WebhookDelivery))

    async def deliveries(self, webhook_id: UUID, limit: int = SHOWN) -> tuple[WebhookDelivery, ...]:
        """The newest first."""
        return (await self._client.carry_out(deliveries_of(webhook_id, limit))).deliveries

    async def redeliver(self, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        return await self._client.carry_out(redelivering(webhook_id, delivery_id))

    async def redeliver_failed(self, webhook_id: UUID, since: datetime) -> int:
        """See `Webhooks.redeliver_failed`."""
        return (await self._client.carry_out(redelivering_failed(webhook_id, since))).deliveries
