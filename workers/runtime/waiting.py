"""The jobs a worker was rung for and hasn't claimed: urgent steps first, and within a step tenants take turns."""

from collections import deque
from collections.abc import Iterator
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
    """One job of each tenant in turn: round robin, which is deficit round robin where every job counts the same."""

    def __init__(self) -> None:
        self._steps: dict[int, dict[UUID, deque[Waiting]]] = {step: {} for step in STEPS_IN_TURN}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def join(self, doorbell: Doorbell, bell: Bell) -> None:
        tenants = self._steps.setdefault(doorbell.step, {})
        for tenant_id, job_ids in doorbell.jobs:
            place = tenants.get(tenant_id)
            if place is None:
                place = tenants[tenant_id] = deque()
            place.extend(Waiting(job_id, tenant_id, doorbell.kind, doorbell.step, bell) for job_id in job_ids)
            self._length += len(job_ids)

    def take(self, most: int) -> list[Waiting]:
        """The next ones, in turn; at most so many."""
        taken: list[Waiting] = []
        for tenants in self._steps.values():
            taken.extend(_in_turn(tenants, most - len(taken)))
        self._length -= len(taken)
        return taken


def _in_turn(tenants: dict[UUID, deque[Waiting]], most: int) -> Iterator[Waiting]:
    while tenants and most > 0:
        # The tenant at the head gives one job and goes to the end; a dict keeps the order it was filled in.
        tenant_id = next(iter(tenants))
        place = tenants.pop(tenant_id)
        share = min(len(place), most) if not tenants else 1
        for _ in range(share):
            yield place.popleft()
        most -= share
        if place:
            tenants[tenant_id] = place
