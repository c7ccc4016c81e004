"""The webhooks pool's job, bound to its adapters."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from events.webhooks import WebhookPaused
from infrastructure.concurrency.loops import Loop, WithLoops
from infrastructure.postgres.clock import SharedClock
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.postgres.webhooks.deliveries import StoredDeliveries
from infrastructure.settings import Settings
from infrastructure.wiring import webhook_receivers
from kinds.declaration import job
from kinds.run import Run
from schemas.webhooks import DeliverWebhook
from workers.webhooks.delivery import deliver_webhook
from workers.webhooks.receiver_limits import ReceiverLimits


@dataclass(frozen=True)
class Delivering(WithLoops):
    deliver: Callable[[DeliverWebhook, Run], Awaitable[WebhookPaused | None]]
    loops: tuple[Loop, ...]


@asynccontextmanager
async def delivering(settings: Settings) -> AsyncIterator[Delivering]:
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
            yield Delivering(deliver, (clock.loop,))


@job(uses=delivering)
async def deliver(command: DeliverWebhook, run: Run, delivering: Delivering) -> WebhookPaused | None:
    return await delivering.deliver(command, run)
