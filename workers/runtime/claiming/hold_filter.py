"""The hold filter: keeps a worker from claiming jobs that a pause or a killswitch matches."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

from infrastructure.postgres.jobs import holds
from infrastructure.postgres.jobs.holds import Held, Matched
from infrastructure.postgres.session import PostgresSession
from monitoring.metrics import bus as metrics
from producers.dispatcher.controls import ControlsSnapshot
from schemas.jobs import JobState
from workers.runtime.claiming.pending import PendingLot
from workers.runtime.running.notifier import Notifier
from workers.runtime.settling.retry_until_available import retry_until_available

logger = logging.getLogger(__name__)


class HoldFilter:
    """Costs two look-ups in empty collections while there are no holds."""

    def __init__(
        self, queue: str, controls: Callable[[], ControlsSnapshot], session: PostgresSession, notifier: Notifier
    ) -> None:
        self._queue = queue
        self._controls = controls
        self._session = session
        self._notifier = notifier

    @property
    def closed(self) -> bool:
        """Whether the whole queue is paused: then nothing is claimed."""
        return self._queue in self._controls().closed_queues

    def weight(self, tenant_id: UUID) -> int:
        return self._controls().weight(tenant_id)

    async def let_through(self, waiting: Sequence[PendingLot], ids: list[bytes]) -> list[bytes]:
        """The ids that may be claimed. Jobs that a hold matches are held or, by a killswitch, cancelled."""
        controls = self._controls()
        if not controls.holds:
            return ids
        matches = [
            Matched(job_id, hold)
            for lot, *_ in waiting
            if (matching := controls.hold_for(self._queue, lot.kind, lot.tenant_id))
            for job_id in lot.job_ids
            for hold in matching
        ]
        if not matches:
            return ids
        held = await retry_until_available(self._session, lambda connection: holds.hold_back(connection, matches))
        self._report(held)
        held_ids = {one.job_id.bytes for one in held}
        return [job_id for job_id in ids if job_id not in held_ids]

    def _report(self, held: Sequence[Held]) -> None:
        self._notifier.notify({one.tenant_id for one in held})
        killed = [one for one in held if one.killed]
        for kind, count in Counter(one.kind for one in killed).items():
            metrics.jobs_settled(kind, JobState.CANCELLED, count)
        metrics.jobs_held_back(len(held) - len(killed))
        if killed:
            logger.warning("a killswitch cancelled %d jobs before they started", len(killed))
        # A held job frees its slot of a concurrency limit, as one that ended does.
        if capped := [one.job_id for one in held if one.capped]:
            self._notifier.request_admission(capped)
        if parents := [one.parent_id for one in killed if one.parent_id is not None]:
            self._notifier.resume_parents(parents)
