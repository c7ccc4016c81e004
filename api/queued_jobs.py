"""The quota of jobs that a tenant may have waiting, which costs an accepted job a comparison.

A process counts a tenant's waiting jobs in PostgreSQL and may then admit a share of what is left of the limit before it
counts again. So up to PROCESSES processes never pass the limit together; each further one may pass it by its own share. A
count is used for RECOUNT_SECONDS, and longer if counting is slow. Child jobs, slots of schedules and deliveries count, and
are never refused.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infrastructure.postgres.tenants.quotas import QuotaExceeded

PROCESSES: Final = 4
RECOUNT_SECONDS: Final = 10.0
RESTING_SHARE: Final = 10
"""A count that took a second isn't made again for ten, so counting never takes more than a tenth of a connection's time."""
MAX_REMEMBERED: Final = 20_000

CountWaiting = Callable[[UUID, int], Awaitable[int]]
"""Counts a tenant's waiting jobs, no further than the number given."""


@dataclass(slots=True)
class _Counted:
    waiting: int
    at: float
    took_seconds: float
    admitted: int = 0
    """Since then, by this process."""

    def left(self, limit: int) -> int:
        return limit - self.waiting - self.admitted

    def may_admit(self, jobs: int, limit: int) -> bool:
        return self.admitted + jobs <= max(limit - self.waiting, 0) // PROCESSES


class QueuedJobs:
    """One per process."""

    def __init__(self, count: CountWaiting) -> None:
        self._count = count
        self._counted: OrderedDict[UUID, _Counted] = OrderedDict()
        self._counting: dict[UUID, asyncio.Lock] = {}

    async def admit(self, tenant_id: UUID, jobs: int, limit: int | None) -> None:
        """Counts the jobs, which are about to be stored. Raises QuotaExceeded when they would pass the limit."""
        if limit is None:
            return
        counted = self._counted.get(tenant_id)
        if counted is None or not self._is_fresh(counted) or not counted.may_admit(jobs, limit):
            counted = await self._recount(tenant_id, jobs, limit)
        if jobs > counted.left(limit):
            raise QuotaExceeded("queued_jobs", used=limit - max(counted.left(limit), 0), limit=limit)
        counted.admitted += jobs

    def _is_fresh(self, counted: _Counted) -> bool:
        return time.monotonic() - counted.at < max(RECOUNT_SECONDS, RESTING_SHARE * counted.took_seconds)

    async def _recount(self, tenant_id: UUID, jobs: int, limit: int) -> _Counted:
        """The count, by one of the callers that need it at the same time."""
        lock = self._counting.setdefault(tenant_id, asyncio.Lock())
        try:
            async with lock:
                known = self._counted.get(tenant_id)
                if known is not None and self._suffices(known, jobs, limit):
                    return known
                began = time.monotonic()
                waiting = await self._count(tenant_id, limit)
                counted = _Counted(waiting, began, time.monotonic() - began)
                self._counted[tenant_id] = counted
                self._counted.move_to_end(tenant_id)
                while len(self._counted) > MAX_REMEMBERED:
                    self._counted.popitem(last=False)
                return counted
        finally:
            if not lock.locked():
                self._counting.pop(tenant_id, None)

    def _suffices(self, known: _Counted, jobs: int, limit: int) -> bool:
        if self._is_fresh(known) and known.may_admit(jobs, limit):
            return True
        return time.monotonic() - known.at < RESTING_SHARE * known.took_seconds
