"""The doorbell window: how many jobs of a queue may be rung for at a time, from its workers' reported throughput."""

from dataclasses import dataclass

from infrastructure.celery.doorbell import AHEAD_SECONDS
from infrastructure.celery.message import MAX_JOBS_IN_A_BIG_DOORBELL
from infrastructure.celery.pace import Service

MIN_RUNG, MAX_RUNG = 4, 6_000
MIN_DOORBELLS, DOORBELLS_PER_WORKER = 8, 4
"""Doorbells in a full list, so that there are some for each worker, and one worker starts the jobs of one within about a
twentieth of a second. Celery's cost is per doorbell, whatever number of jobs it names."""
GROWTH = 4
"""The window's factor when the lists ran empty between two rounds, which is sooner than workers report again."""
DECAY, DECAY_SECONDS = 0.7, 0.1
"""A grown window shrinks by this factor in each such interval without need."""


@dataclass(frozen=True, slots=True)
class Window:
    """How many jobs may be in a queue's lists, and how they are split into doorbells."""

    jobs: int = MIN_RUNG
    workers: int = 1

    @property
    def max_jobs_per_doorbell(self) -> int:
        """The largest number of jobs that one doorbell names."""
        doorbells = max(MIN_DOORBELLS, DOORBELLS_PER_WORKER * self.workers)
        return min(-(-self.jobs // doorbells), MAX_JOBS_IN_A_BIG_DOORBELL)

    @property
    def doorbells(self) -> int:
        """The window in doorbells."""
        return -(-self.jobs // self.max_jobs_per_doorbell)

    @property
    def jobs_per_turn(self) -> int:
        """The quantum of a tenant's turn. Above 1, so that a thousand tenants don't split the window into single jobs."""
        return max(self.max_jobs_per_doorbell // 20, 1)

    def room(self, doorbells: int) -> int:
        """How many more jobs fit beside so many doorbells; 0 while less than half is free: few large reads cost less than many."""
        room = self.jobs - doorbells * self.max_jobs_per_doorbell
        return room if room >= max(self.jobs // 2, 1) else 0

    def next(self, service: Service, *, rung_since: int, ran_out: bool, calm_seconds: float) -> "Window":
        """The next window. `rung_since`: jobs rung since the workers last reported, which fill their free slots.

        `ran_out`: the lists were empty after a round that rang. `calm_seconds`: since the last window.
        """
        free = max(service.free - rung_since, 0)
        begun_soon = free + int(service.jobs_per_second * AHEAD_SECONDS)
        wanted = self.jobs * (GROWTH if ran_out else DECAY ** (calm_seconds / DECAY_SECONDS))
        return Window(min(max(begun_soon, int(wanted), MIN_RUNG), MAX_RUNG), service.workers)
