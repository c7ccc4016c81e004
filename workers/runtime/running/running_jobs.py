"""The jobs that this worker has claimed and not yet settled, shared by what claims, runs and settles them."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from workers.runtime.claiming.delivery import Delivery
from workers.runtime.running.attempt import Attempt
from workers.runtime.settling.outcomes import Stop


class RunningJobs:
    """One per worker. A job is here from its launch until its settlement is stored or dropped."""

    def __init__(self) -> None:
        self._attempts: dict[int, Attempt] = {}
        """By the job's id as an int, which hashes faster than a UUID."""
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._attempts)

    def __contains__(self, job_id: bytes) -> bool:
        return int.from_bytes(job_id) in self._attempts

    def get(self, job_id: UUID) -> Attempt | None:
        return self._attempts.get(job_id.int)

    def add(self, attempt: Attempt) -> None:
        self._attempts[attempt.claimed.id.int] = attempt
        self._idle.clear()

    def remove(self, attempt: Attempt) -> None:
        """Its run is over and settled, or dropped: closes its part of the delivery."""
        del self._attempts[attempt.claimed.id.int]
        attempt.delivery.close()
        if not self._attempts:
            self._idle.set()

    def tokens(self) -> dict[UUID, UUID]:
        """Each job's fencing token."""
        return {attempt.job_id: attempt.claimed.token for attempt in self._attempts.values()}

    def not_ended(self) -> list[Attempt]:
        """The runs that hold a slot: those whose handler may still work."""
        return [attempt for attempt in self._attempts.values() if not attempt.ended]

    def job_of(self, task: asyncio.Task[Any]) -> UUID | None:
        """The job whose run the task is, or None. May be called from another thread."""
        return next((attempt.job_id for attempt in list(self._attempts.values()) if attempt.task is task), None)

    def stop(self, job_ids: Sequence[UUID], reason: Stop) -> None:
        """Stops the runs of those jobs that run here; others are ignored."""
        for job_id in job_ids:
            if (running := self._attempts.get(job_id.int)) is not None:
                running.stop(reason)

    def stop_delivery(self, delivery: Delivery, reason: Stop) -> None:
        for running in list(self._attempts.values()):
            if running.delivery is delivery:
                running.stop(reason)

    def stop_all(self, reason: Stop) -> None:
        for running in list(self._attempts.values()):
            running.stop(reason)

    async def stop_overdue(self) -> None:
        """Stops the runs that are over their time limit, and those that have waited too long to begin or to go on."""
        now = time.monotonic()
        for attempt in self.not_ended():
            if attempt.ends_at <= now:
                attempt.stop(Stop.TIME_LIMIT)
            elif attempt.waits_too_long(now):
                attempt.stop(Stop.WAITED)

    async def until_none(self, within_seconds: float) -> None:
        """Returns when no job is left, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self._idle.wait()
