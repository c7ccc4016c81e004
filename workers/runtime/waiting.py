"""The jobs a worker was rung for and hasn't claimed: urgent steps first, and within a step tenants take turns."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

from infrastructure.celery.lists import STEPS_IN_TURN
from infrastructure.celery.message import Doorbell
from workers.runtime.bell import Bell


class Waiting(NamedTuple):
    job_id: UUID
    tenant_id: UUID
    kind: str
    step: int
    bell: Bell


class WaitingLine:
    """As many jobs of each tenant in turn as it weighs: deficit round robin (Shreedhar and Varghese, 1995), where every
    job costs the same. A turn that a full worker cuts short goes on where it stopped."""

    def __init__(self, weight: Callable[[UUID], int] = lambda _: 1) -> None:
        self._weight = weight
        self._steps: dict[int, dict[UUID, deque[Waiting]]] = {step: {} for step in STEPS_IN_TURN}
        self._left: dict[int, int] = {}
        """Of each step, what the tenant at its head has left of its turn."""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def join(self, doorbell: Doorbell, bell: Bell) -> None:
        tenants = self._steps.setdefault(doorbell.step, {})
        for kind, tenant_id, job_ids in doorbell.jobs:
            place = tenants.get(tenant_id)
            if place is None:
                place = tenants[tenant_id] = deque()
            place.extend(Waiting(job_id, tenant_id, kind, doorbell.step, bell) for job_id in job_ids)
            self._length += len(job_ids)

    def take(self, most: int) -> list[Waiting]:
        """The next ones, in turn; at most so many."""
        taken: list[Waiting] = []
        for step in self._steps:
            taken.extend(self._in_turn(step, most - len(taken)))
        self._length -= len(taken)
        return taken

    def _in_turn(self, step: int, most: int) -> Iterator[Waiting]:
        tenants = self._steps[step]
        while tenants and most > 0:
            # The tenant at the head has its turn and goes to the end; a dict keeps the order it was filled in.
            tenant_id, place = next(iter(tenants.items()))
            left = self._left.pop(step, 0) or self._weight(tenant_id)
            share = min(len(place), most) if len(tenants) == 1 else min(left, len(place), most)
            for _ in range(share):
                yield place.popleft()
            most -= share
            if place and share < left:
                self._left[step] = left - share
                return
            del tenants[tenant_id]
            if place:
                tenants[tenant_id] = place
