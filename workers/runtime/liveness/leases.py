"""Compares the leases in PostgreSQL with what runs here: a message of either side may have been lost."""

from uuid import UUID

from infrastructure.postgres.session import PostgresSession
from infrastructure.postgres.workers import leases_of
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.running.running_jobs import RunningJobs
from workers.runtime.settling.outcomes import Stop, released
from workers.runtime.settling.settler import Settler


class LeaseCheck:
    """`check` is the step of a loop with a period of some seconds: it acts on what it has found twice."""

    def __init__(self, session: PostgresSession, heartbeat: Heartbeat, running: RunningJobs, settler: Settler) -> None:
        self._session = session
        self._heartbeat = heartbeat
        self._running = running
        self._settler = settler
        self._unknown: dict[UUID, UUID] = {}
        """The leases without a run here that the last check found."""

    async def check(self) -> None:
        """Stops runs whose job was cancelled or claimed by another worker, and releases jobs whose claim's answer was lost.
        Raises Unavailable."""
        running = self._running.tokens()
        worker_id = self._heartbeat.worker_id
        held = await self._session.run(lambda connection: leases_of(connection, worker_id))
        self._running.stop([job_id for job_id, token in running.items() if held.get(job_id) != token], Stop.CANCELLED)
        running |= self._running.tokens()
        unknown = {job_id: token for job_id, token in held.items() if running.get(job_id) != token}
        for job_id, token in unknown.items():
            if self._unknown.get(job_id) == token:
                self._settler.hand_in(released(job_id, token))
        self._unknown = unknown
