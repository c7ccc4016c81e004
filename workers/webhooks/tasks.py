"""The webhooks pool's handler, bound to its adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from infrastructure.concurrency.loops import Loop
from infrastructure.postgres.clock import SharedClock
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.postgres.webhooks.deliveries import StoredDeliveries
from infrastructure.settings import Settings
from infrastructure.wiring import webhook_receivers
from schemas.webhooks import DeliverWebhook
from workers.runtime.handler import Handler
from workers.webhooks.delivery import deliver_webhook
from workers.webhooks.receiver_limits import ReceiverLimits


@asynccontextmanager
async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any] | Loop, ...]]:
    options = {**BUS_SESSION, "TimeZone": "UTC"}
    async with PostgresSession(settings.database, Role.SYSTEM, "webhook deliveries", options) as session:
        clock = SharedClock(session)
        await clock.start()
        async with webhook_receivers(settings, clock.now) as receivers:
            deliver = partial(
                deliver_webhook,
                deliveries=StoredDeliveries(session),
                receivers=receivers,
                receiver_limits=ReceiverLimits(),
                now=clock.now,
            )
            yield (Handler(DeliverWebhook, deliver), clock.loop)
