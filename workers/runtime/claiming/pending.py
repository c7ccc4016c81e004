"""The jobs a worker has doorbells for and hasn't claimed: by priority step, and within a step tenants take turns."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

from infrastructure.celery.keys import STEPS_IN_TURN
from infrastructure.celery.message import Doorbell, Lot
from workers.runtime.claiming.delivery import Delivery


class PendingLot(NamedTuple):
    """Jobs of one tenant and kind from one doorbell."""

    lot: Lot
    step: int
    delivery: Delivery
    misses: int = 0
    """How many claims have missed them."""

    @property
    def stays(self) -> bool:
        """Whether they can't be handed back: they may not be committed yet, which another worker wouldn't know."""
        return self.delivery.ahead


class _TenantQueue:
    """A tenant's pending lots of one priority step, oldest first."""

    __slots__ = ("jobs", "parts")

    def __init__(self) -> None:
        self.jobs = 0
        self.parts: deque[PendingLot] = deque()

    def join(self, part: PendingLot) -> None:
        self.parts.append(part)
        self.jobs += part.lot.jobs

    def take(self, count: int) -> Iterator[PendingLot]:
        self.jobs -= count
        while count:
            part = self.parts.popleft()
            if (lot := part.lot).jobs > count:
                self.parts.appendleft(part._replace(lot=lot.piece(count, lot.jobs)))
                part = part._replace(lot=lot.piece(0, count))
            count -= part.lot.jobs
            yield part

    def give_back(self, count: int) -> Iterator[PendingLot]:
        """Removes up to so many jobs from the end."""
        while count and self.parts and not self.parts[-1].stays:
            part = self.parts.pop()
            if (jobs := part.lot.jobs) > count:
                self.parts.append(part._replace(lot=part.lot.piece(0, jobs - count)))
                part = part._replace(lot=part.lot.piece(jobs - count, jobs))
            count -= part.lot.jobs
            self.jobs -= part.lot.jobs
            yield part


class PendingJobs:
    """Deficit round robin over tenants (Shreedhar and Varghese, 1995): each turn has as many jobs as the tenant's weight. A
    turn that a full worker cuts short is resumed by the next `take`."""

    def __init__(self, weight: Callable[[UUID], int] = lambda _: 1) -> None:
        self._weight = weight
        self._steps: dict[int, dict[UUID, _TenantQueue]] = {step: {} for step in STEPS_IN_TURN}
        self._turn_left: dict[int, int] = {}
        """By step, the jobs left of the first tenant's turn."""
        self._length = 0

    def __len__(self) -> int:
        """How many jobs are pending."""
        return self._length

    def join(self, doorbell: Doorbell, delivery: Delivery) -> None:
        for lot in doorbell.lots:
            self.add(PendingLot(lot, doorbell.step, delivery))

    def add(self, part: PendingLot) -> None:
        tenants = self._steps.setdefault(part.step, {})
        if (queued := tenants.get(part.lot.tenant_id)) is None:
            queued = tenants[part.lot.tenant_id] = _TenantQueue()
        queued.join(part)
        self._length += part.lot.jobs

    def take(self, limit: int) -> list[PendingLot]:
        """Removes and returns up to `limit` jobs in turn order."""
        taken: list[PendingLot] = []
        for step in self._steps:
            for part in self._in_turn(step, limit):
                taken.append(part)
                limit -= part.lot.jobs
                self._length -= part.lot.jobs
        return taken

    def give_back(self, count: int, *, min_turns: int = 0) -> list[PendingLot]:
        """Removes and returns up to `count` jobs from the end: the least urgent step first, and from the tenants with the most
        pending turns. Each tenant keeps `min_turns` turns."""
        returned: list[PendingLot] = []
        for step, tenants in reversed(self._steps.items()):
            waiting = sum(queued.jobs for queued in tenants.values())
            level = max(self._level(tenants, max(waiting - count, 0)), min_turns)
            for tenant_id, queued in list(tenants.items()):
                returned += queued.give_back(max(queued.jobs - level * self._weight(tenant_id), 0))
                if not queued.jobs:
                    del tenants[tenant_id]
                    self._turn_left.pop(step, None)
            count -= waiting - sum(queued.jobs for queued in tenants.values())
        self._length -= sum(part.lot.jobs for part in returned)
        return returned

    def _level(self, tenants: dict[UUID, _TenantQueue], kept: int) -> int:
        """The smallest number of turns per tenant that covers `kept` jobs."""
        weighed = [(queued.jobs, self._weight(tenant_id)) for tenant_id, queued in tenants.items()]
        return bisect_left(
            range(kept + 1), kept, key=lambda turns: sum(min(jobs, turns * weight) for jobs, weight in weighed)
        )

    def _in_turn(self, step: int, limit: int) -> Iterator[PendingLot]:
        tenants = self._steps[step]
        while rounds := self._whole_rounds(step, limit):
            for tenant_id, queued in list(tenants.items()):
                share = rounds * self._weight(tenant_id)
                limit -= share
                yield from queued.take(share)
                if not queued.jobs:
                    del tenants[tenant_id]
        while tenants and limit > 0:
            # The first tenant has its turn and moves to the end of the dict, which keeps insertion order.
            tenant_id, queued = next(iter(tenants.items()))
            left = self._turn_left.pop(step, 0) or self._weight(tenant_id)
            share = min(queued.jobs, limit) if len(tenants) == 1 else min(left, queued.jobs, limit)
            limit -= share
            yield from queued.take(share)
            if queued.jobs and share < left:
                self._turn_left[step] = left - share
                return
            del tenants[tenant_id]
            if queued.jobs:
                tenants[tenant_id] = queued

    def _whole_rounds(self, step: int, limit: int) -> int:
        """How many full rounds fit into the limit. They are taken at once, so that lots aren't split into single jobs."""
        tenants = self._steps[step]
        if step in self._turn_left or not 1 < len(tenants) <= limit:
            return 0
        weights = {tenant_id: self._weight(tenant_id) for tenant_id in tenants}
        shortest = min(queued.jobs // weights[tenant_id] for tenant_id, queued in tenants.items())
        return min(shortest, limit // sum(weights.values()))
