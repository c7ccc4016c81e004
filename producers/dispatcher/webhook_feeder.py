"""Feeds webhooks: creates a delivery job for each event. Any number of dispatchers may run; a row lock gives each webhook to one."""

import time
from collections.abc import Sequence
from uuid import UUID

from infrastructure.celery.doorbell import Doorbells
from infrastructure.celery.message import JobRef
from infrastructure.concurrency.loops import Loop, made_progress
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

LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.25, 1.0
"""Polling interval for webhooks with events to deliver; it doubles up to the second while there are none."""
ORPHAN_CHECK_SECONDS = 5.0
EXPIRY_SECONDS = 60.0


class WebhookFeeder:
    """One per dispatcher."""

    def __init__(self, redis: Redis, session: PostgresSession, *, ring_again_seconds: float) -> None:
        self._doorbells = Doorbells(redis)
        self._tenant_notifier = TenantNotifier(redis)
        self._session = session
        self._ring_again_seconds = ring_again_seconds
        self._orphans_checked_at = self._expired_at = 0.0
        self._pause_seconds = LOOK_SECONDS

    @property
    def loop(self) -> Loop:
        return Loop("webhook feed", LOOK_SECONDS, self.feed)

    async def feed(self) -> float:
        """Creates deliveries for every webhook with new events, up to its window. Returns how long to pause."""
        await self._run_housekeeping()
        more_pending = False
        for webhook_id in await self._session.run(feeder.pending_webhooks):
            fed = await self._feed_one(webhook_id)
            await self._ring(fed.jobs)
            more_pending = more_pending or not fed.resting
            made_progress()
        self._pause_seconds = LOOK_SECONDS if more_pending else min(2 * self._pause_seconds, LONGEST_LOOK_SECONDS)
        return 0.0 if more_pending else self._pause_seconds

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
        refs = [JobRef(job.id, job.tenant_id, job.kind, job.queue, job.priority) for job in jobs]
        try:
            metrics.doorbells_rung((await self._doorbells.ring(refs)).bells)
        except FAULTS:
            # The jobs are committed: a sweeper rings for them once Redis is back.
            metrics.doorbells_failed(len(jobs))

    async def _run_housekeeping(self) -> None:
        now = time.monotonic()
        if now - self._orphans_checked_at > ORPHAN_CHECK_SECONDS:
            self._orphans_checked_at = now
            await self._session.run(feeder.fail_orphans)
            outgoing_metrics.webhooks_lagged(await self._session.run(feeder.lag_seconds))
        if now - self._expired_at > EXPIRY_SECONDS:
            self._expired_at = now
            await self._session.run(feeder.forget)


def _job_of(tenant_id: UUID, command: DeliverWebhook, cause: UUID | None) -> NewJob:
    return new_job(tenant_id, command, JobOptions(causation_id=cause))
