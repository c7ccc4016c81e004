"""Feeds webhooks: makes delivery jobs of what happened. Any number of dispatchers may; each webhook is one's at a time."""

import asyncio
import logging
import time
from collections.abc import Sequence
from uuid import UUID

from infrastructure.celery.doorbell import Doorbells
from infrastructure.celery.message import JobRef
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs.submission import NewJob
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.postgres.webhooks import feeder
from infrastructure.postgres.webhooks.feeder import Fed
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.tenant_notifier import TenantNotifier
from monitoring.metrics import bus as metrics
from monitoring.metrics import outgoing as outgoing_metrics
from producers.submission.submitter import JobOptions, new_job
from schemas.webhooks import DeliverWebhook

logger = logging.getLogger(__name__)

LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.25, 1.0
"""Between two looks for webhooks that have something to be fed: rarer while there is nothing."""
MEND_SECONDS = 5.0
FORGET_SECONDS = 60.0


class WebhookFeeder:
    """One per dispatcher."""

    def __init__(self, redis: Redis, session: PostgresSession, *, ring_again_seconds: float) -> None:
        self._doorbells = Doorbells(redis)
        self._tenant_notifier = TenantNotifier(redis)
        self._session = session
        self._ring_again_seconds = ring_again_seconds
        self._mended_at = self._forgot_at = 0.0

    async def feed_for_ever(self) -> None:
        pause_seconds = LOOK_SECONDS
        while True:
            try:
                busy = await self.feed()
            except Unavailable:
                busy = False
                logger.warning("no webhook is fed: PostgreSQL can't be reached")
            except Exception:  # The loop's edge: one round that fails must not be the last.
                busy = False
                logger.exception("feeding webhooks failed; the next round tries again")
            pause_seconds = LOOK_SECONDS if busy else min(2 * pause_seconds, LONGEST_LOOK_SECONDS)
            await asyncio.sleep(0 if busy else pause_seconds)

    async def feed(self) -> bool:
        """One turn for every webhook that has something. Whether some of them may have more at once."""
        await self._keep_house()
        busy = False
        for webhook_id in await self._session.run(feeder.pending_webhooks):
            fed = await self._feed_one(webhook_id)
            await self._ring(fed.jobs)
            busy = busy or not fed.resting
        return busy

    async def _feed_one(self, webhook_id: UUID) -> Fed:
        async def feed(connection: Connection) -> Fed:
            return await feeder.feed_one(
                connection, webhook_id, job_of=_job_of, ring_again_seconds=self._ring_again_seconds
            )

        return await self._session.run(feed)

    async def _ring(self, jobs: Sequence[NewJob]) -> None:
        if not jobs:
            return
        metrics.jobs_submitted(DeliverWebhook.kind, len(jobs))
        self._tenant_notifier.notify({job.tenant_id for job in jobs})
        rings = [JobRef(job.id, job.tenant_id, job.kind, job.queue, job.priority) for job in jobs]
        try:
            metrics.doorbells_rung((await self._doorbells.ring(rings)).bells)
        except FAULTS:
            # The jobs are kept; a sweeper rings for them as soon as Redis is back.
            metrics.doorbells_failed(len(jobs))

    async def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._mended_at > MEND_SECONDS:
            self._mended_at = now
            await self._session.run(feeder.fail_orphans)
            outgoing_metrics.webhooks_lagged(await self._session.run(feeder.lag_seconds))
        if now - self._forgot_at > FORGET_SECONDS:
            self._forgot_at = now
            await self._session.run(feeder.forget)


def _job_of(tenant_id: UUID, command: DeliverWebhook, cause: UUID | None) -> NewJob:
    return new_job(tenant_id, command, JobOptions(causation_id=cause))
