"""A submitter that goes on through every outage, and remembers what was accepted."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from random import Random
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs.submission import Accepted
from infrastructure.settings import Settings
from producers.submission.submitter import Concurrency, JobOptions, Submitter, new_job, open_submitter
from tests.chaos.probe import Decline, Delegate, Errand, Lookup, Reckon
from tests.tenancy import tenants_numbered

TENANTS = 5
LARGEST_BURST = 30
CAPPED, MAX_CAPPED, SHARE_CAPPED = "one of few", 4, 0.15


class Submitting:
    """Submits from a thread of its own, evenly over the time it is given."""

    def __init__(self, settings: Settings, *, seed: int, jobs: int, seconds: float) -> None:
        self.accepted: set[UUID] = set()
        self.uncertain: set[UUID] = set()
        """Their submission failed: each may have been kept or not."""
        self._settings = settings
        self._dice = Random(seed)
        self._jobs = jobs
        self._seconds = seconds
        self._tenants = asyncio.run(tenants_numbered(settings.database, TENANTS))
        self._thread = ThreadPoolExecutor(1, "submitting")
        self._done = self._thread.submit(lambda: asyncio.run(self._submit_all()))

    def join(self) -> None:
        """Returns when all was submitted; raises what ended it early."""
        self._done.result()
        self._thread.shutdown()

    async def _submit_all(self) -> None:
        pause_seconds = self._seconds / (2 * self._jobs / LARGEST_BURST)
        async with open_submitter(self._settings) as submitter:
            while len(self.accepted) + len(self.uncertain) < self._jobs:
                await self._submit_some(submitter)
                await asyncio.sleep(pause_seconds)

    async def _submit_some(self, submitter: Submitter) -> None:
        tenant = self._dice.choice(self._tenants)
        capped = Concurrency(CAPPED, MAX_CAPPED) if self._dice.random() < SHARE_CAPPED else None
        terms = JobOptions(priority=self._dice.choice([2, 5, 5, 5, 8]), concurrency=capped)
        jobs = [new_job(tenant, self._any_command(), terms) for _ in range(self._dice.randint(1, LARGEST_BURST))]
        ids = {job.id for job in jobs}
        try:
            outcomes = await submitter.submit_all(jobs)
        except Unavailable:
            self.uncertain |= ids
            return
        assert outcomes == [Accepted(job.id, capped=capped is not None) for job in jobs]
        self.accepted |= ids

    def _any_command(self) -> Errand:
        seconds = self._dice.choice([0.0, 0.0, 0.02, 0.1, 0.5])
        match self._dice.randint(1, 20):
            case 1:
                return Decline()
            case 2:
                return Delegate(seconds=seconds)
            case 3:
                return Reckon()
            case 4 | 5:
                return Errand(seconds=seconds, failures=self._dice.randint(1, 2))
            case number:
                return (Errand if number % 2 else Lookup)(seconds=seconds)
