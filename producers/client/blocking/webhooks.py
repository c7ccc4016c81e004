# Generated from asynchronous/webhooks.py by `python -m producers.packaging`: edit that one.
"""Webhooks: where events are sent, and what was sent."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from producers.client.blocking.ports import Caller
from producers.client.requests import Id, delete, get, path, post, put
from schemas.webhooks import (
    NewSecret,
    RedeliverFailed,
    Redelivery,
    Webhook,
    WebhookCreated,
    WebhookDeliveries,
    WebhookDelivery,
    WebhookRequest,
)
from schemas.webhooks import Webhooks as WebhookList

PAGE: Final = 50


class Webhooks:
    """Your webhooks. Times need a time zone. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self) -> tuple[Webhook, ...]:
        """The newest first."""
        return self._client.ask(WebhookList, get(path("webhooks"))).webhooks

    def create(self, wanted: WebhookRequest) -> WebhookCreated:
        """With its secret, which is shown this once. Isn't repeated when the connection breaks: look whether it was
        made."""
        return self._client.ask(WebhookCreated, post(path("webhooks"), wanted, repeatable=False))

    def get(self, webhook_id: Id) -> Webhook:
        return self._client.ask(Webhook, get(path("webhooks", webhook_id)))

    def replace(self, webhook_id: Id, wanted: WebhookRequest) -> Webhook:
        """Also pauses and resumes it."""
        return self._client.ask(Webhook, put(path("webhooks", webhook_id), wanted))

    def delete(self, webhook_id: Id) -> None:
        """With its deliveries."""
        self._client.send(delete(path("webhooks", webhook_id)))

    def rotate_secret(self, webhook_id: Id) -> NewSecret:
        """Deliveries are signed with both until `previous_until`. Isn't repeated when the connection breaks."""
        request = post(path("webhooks", webhook_id, "rotate-secret"), repeatable=False)
        return self._client.ask(NewSecret, request)

    def test(self, webhook_id: Id) -> WebhookDelivery:
        """Sends it an event that says only that it is a test."""
        return self._client.ask(WebhookDelivery, post(path("webhooks", webhook_id, "test"), repeatable=False))

    def deliveries(self, webhook_id: Id, *, limit: int = PAGE) -> Iterator[WebhookDelivery]:
        """What was sent to it, the newest first, fetched `limit` at a time while you go on."""
        address = path("webhooks", webhook_id, "deliveries")
        cursor: str | None = None
        while True:
            page = self._client.ask(WebhookDeliveries, get(address, {"limit": limit, "cursor": cursor}))
            yield from page.deliveries
            cursor = page.next_cursor
            if cursor is None:
                return

    def redeliver(self, webhook_id: Id, delivery_id: Id) -> WebhookDelivery:
        """With the same `webhook-id`, so that a receiver can tell."""
        request = post(path("webhooks", webhook_id, "deliveries", delivery_id, "redeliver"))
        return self._client.ask(WebhookDelivery, request)

    def redeliver_failed(self, webhook_id: Id, since: datetime) -> int:
        """How many failed ones, made since then, are sent again."""
        request = post(path("webhooks", webhook_id, "redeliver-failed"), RedeliverFailed(since=since))
        return self._client.ask(Redelivery, request).deliveries
