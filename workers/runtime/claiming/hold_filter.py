"""What a worker asks before it claims: may anything of this queue run, and which of these jobs does a hold keep back?"""

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
from workers.runtime.claiming.pending import Waiting
from workers.runtime.running.notifier import Notifier
from workers.runtime.settling.retry_until_available import retry_until_available

logger = logging.getLogger(__name__)


class HoldFilter:
    """While no hold stands it costs a look at two empty collections."""

    def __init__(
        self, queue: str, rules: Callable[[], ControlsSnapshot], session: PostgresSession, messenger: Notifier
    ) -> None:
        self._queue = queue
        self._rules = rules
        self._session = session
        self._messenger = messenger

    @property
    def closed(self) -> bool:
        """Whether the whole queue is paused: then its jobs stay where they are."""
        return self._queue in self._rules().closed_queues

    def weight(self, tenant_id: UUID) -> int:
        return self._rules().weight(tenant_id)

    async def let_through(self, waiting: Sequence[Waiting], ids: list[bytes]) -> list[bytes]:
        """Those of the ids that may be claimed; what a hold matches is parked or ended."""
        rules = self._rules()
        if not rules.holds:
            return ids
        matches = [
            Matched(job_id, hold)
            for lot, *_ in waiting
            if (matching := rules.hold_for(self._queue, lot.kind, lot.tenant_id))
            for job_id in lot.job_ids
            for hold in matching
        ]
        if not matches:
            return ids
        held = await retry_until_available(self._session, lambda connection: holds.hold_back(connection, matches))
        self._tell(held)
        kept_back = {one.job_id.bytes for one in held}
        return [job_id for job_id in ids if job_id not in kept_back]

    def _tell(self, held: Sequence[Held]) -> None:
        self._messenger.tell({one.tenant_id for one in held})
        killed = [one for one in held if one.killed]
        for kind, count in Counter(one.kind for one in killed).items():
            metrics.jobs_settled(kind, JobState.CANCELLED, count)
        metrics.jobs_parked(len(held) - len(killed))
        if killed:
            logger.warning("a killswitch ended %d jobs before they began", len(killed))
        # A job that is parked gives its place under a cap up, as one that ended does.
        if capped := [one.job_id for one in held if one.capped]:
            self._messenger.ask_to_let_in(capped)
        if parents := [one.parent_id for one in killed if one.parent_id is not None]:
            self._messenger.resume_parents(parents)
