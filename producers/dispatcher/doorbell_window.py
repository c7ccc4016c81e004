"""How much of a queue may be rung for: what its workers begin soon, by what they say they do and by what they take."""

from dataclasses import dataclass

from infrastructure.celery.doorbell import AHEAD_SECONDS
from infrastructure.celery.message import MAX_JOBS_IN_A_BIG_DOORBELL
from infrastructure.celery.pace import Service

LEAST_RUNG, MAX_RUNG = 4, 6_000
LEAST_BELLS, BELLS_FOR_A_WORKER = 8, 4
"""In lists that are full: so none names more than one worker begins within a twentieth of a second, and there are some for
each. Celery takes as long for a bell whatever it names."""
GROWTH = 4
"""Where all that was rung is gone at the next look, which comes sooner than workers say again what they do."""
LASTING, LASTING_SECONDS = 0.7, 0.1
"""What grew so is less by that much each time that passes without need."""


@dataclass(frozen=True, slots=True)
class Window:
    """Jobs that may stand in a queue's lists."""

    jobs: int = LEAST_RUNG
    workers: int = 1

    @property
    def bell(self) -> int:
        """The most jobs that one bell may name."""
        bells = max(LEAST_BELLS, BELLS_FOR_A_WORKER * self.workers)
        return min(-(-self.jobs // bells), MAX_JOBS_IN_A_BIG_DOORBELL)

    @property
    def bells(self) -> int:
        """How many bells it comes to."""
        return -(-self.jobs // self.bell)

    @property
    def turn(self) -> int:
        """Jobs in a tenant's turn: windows of a thousand tenants cut into single jobs would cost more than the jobs."""
        return max(self.bell // 20, 1)

    def room(self, bells: int) -> int:
        """For how many jobs there is room beside so many bells; none as long as that is less than half, for a few large readings
        cost less than many small ones."""
        room = self.jobs - bells * self.bell
        return room if room >= max(self.jobs // 2, 1) else 0

    def next(self, service: Service, *, rung_since: int, ran_out: bool, calm_seconds: float) -> "Window":
        """The window now. `rung_since` jobs were rung since the workers said what they do, and fill their free places."""
        free = max(service.free - rung_since, 0)
        begun_soon = free + int(service.jobs_per_second * AHEAD_SECONDS)
        wanted = self.jobs * (GROWTH if ran_out else LASTING ** (calm_seconds / LASTING_SECONDS))
        return Window(min(max(begun_soon, int(wanted), LEAST_RUNG), MAX_RUNG), service.workers)
