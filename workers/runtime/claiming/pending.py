"""The jobs a worker was rung for and hasn't claimed: urgent steps first, and within a step tenants take turns."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

from infrastructure.celery.keys import STEPS_IN_TURN
from infrastructure.celery.message import Doorbell, Lot
from workers.runtime.claiming.delivery import Delivery


class Waiting(NamedTuple):
    """Jobs of one tenant and kind that one bell named."""

    lot: Lot
    step: int
    bell: Delivery
    misses: int = 0
    """How many claims have not found them."""

    @property
    def stays(self) -> bool:
        """Whether it's this worker that must look for them: they may not be committed yet, and who else is rung for them
        wouldn't know that."""
        return self.bell.ahead


class _Place:
    """A tenant's place in the line."""

    __slots__ = ("jobs", "parts")

    def __init__(self) -> None:
        self.jobs = 0
        self.parts: deque[Waiting] = deque()

    def join(self, part: Waiting) -> None:
        self.parts.append(part)
        self.jobs += part.lot.jobs

    def take(self, count: int) -> Iterator[Waiting]:
        self.jobs -= count
        while count:
            part = self.parts.popleft()
            if (lot := part.lot).jobs > count:
                self.parts.appendleft(part._replace(lot=lot.piece(count, lot.jobs)))
                part = part._replace(lot=lot.piece(0, count))
            count -= part.lot.jobs
            yield part

    def give_back(self, count: int) -> Iterator[Waiting]:
        """The last ones, at most so many."""
        while count and self.parts and not self.parts[-1].stays:
            part = self.parts.pop()
            if (jobs := part.lot.jobs) > count:
                self.parts.append(part._replace(lot=part.lot.piece(0, jobs - count)))
                part = part._replace(lot=part.lot.piece(jobs - count, jobs))
            count -= part.lot.jobs
            self.jobs -= part.lot.jobs
            yield part


class PendingJobs:
    """As many jobs of each tenant in turn as it weighs: deficit round robin (Shreedhar and Varghese, 1995), where every
    job costs the same. A turn that a full worker cuts short goes on where it stopped."""

    def __init__(self, weight: Callable[[UUID], int] = lambda _: 1) -> None:
        self._weight = weight
        self._steps: dict[int, dict[UUID, _Place]] = {step: {} for step in STEPS_IN_TURN}
        self._left: dict[int, int] = {}
        """Of each step, what the tenant at its head has left of its turn."""
        self._length = 0

    def __len__(self) -> int:
        """How many jobs wait."""
        return self._length

    def join(self, doorbell: Doorbell, bell: Delivery) -> None:
        for lot in doorbell.lots:
            self.add(Waiting(lot, doorbell.step, bell))

    def add(self, part: Waiting) -> None:
        tenants = self._steps.setdefault(part.step, {})
        if (place := tenants.get(part.lot.tenant_id)) is None:
            place = tenants[part.lot.tenant_id] = _Place()
        place.join(part)
        self._length += part.lot.jobs

    def take(self, most: int) -> list[Waiting]:
        """The next ones, in turn; at most so many jobs."""
        taken: list[Waiting] = []
        for step in self._steps:
            for part in self._in_turn(step, most):
                taken.append(part)
                most -= part.lot.jobs
                self._length -= part.lot.jobs
        return taken

    def give_back(self, count: int, *, least_turns: int = 0) -> list[Waiting]:
        """The last in line, at most so many jobs: of the least urgent step, and of each tenant what exceeds the others', but
        for so many turns of each."""
        given: list[Waiting] = []
        for step, tenants in reversed(self._steps.items()):
            waiting = sum(place.jobs for place in tenants.values())
            level = max(self._level(tenants, max(waiting - count, 0)), least_turns)
            for tenant_id, place in list(tenants.items()):
                given += place.give_back(max(place.jobs - level * self._weight(tenant_id), 0))
                if not place.jobs:
                    del tenants[tenant_id]
                    self._left.pop(step, None)
            count -= waiting - sum(place.jobs for place in tenants.values())
        self._length -= sum(part.lot.jobs for part in given)
        return given

    def _level(self, tenants: dict[UUID, _Place], kept: int) -> int:
        """The least number of turns for each, in which so many jobs have theirs."""
        weighed = [(place.jobs, self._weight(tenant_id)) for tenant_id, place in tenants.items()]
        return bisect_left(
            range(kept + 1), kept, key=lambda turns: sum(min(jobs, turns * weight) for jobs, weight in weighed)
        )

    def _in_turn(self, step: int, most: int) -> Iterator[Waiting]:
        tenants = self._steps[step]
        while rounds := self._whole_rounds(step, most):
            for tenant_id, place in list(tenants.items()):
                share = rounds * self._weight(tenant_id)
                most -= share
                yield from place.take(share)
                if not place.jobs:
                    del tenants[tenant_id]
        while tenants and most > 0:
            # The tenant at the head has its turn and goes to the end; a dict keeps the order it was filled in.
            tenant_id, place = next(iter(tenants.items()))
            left = self._left.pop(step, 0) or self._weight(tenant_id)
            share = min(place.jobs, most) if len(tenants) == 1 else min(left, place.jobs, most)
            most -= share
            yield from place.take(share)
            if place.jobs and share < left:
                self._left[step] = left - share
                return
            del tenants[tenant_id]
            if place.jobs:
                tenants[tenant_id] = place

    def _whole_rounds(self, step: int, most: int) -> int:
        """How often everybody can have a whole turn: as many turns are taken at once, which cuts no lot into single
        jobs."""
        tenants = self._steps[step]
        if step in self._left or not 1 < len(tenants) <= most:
            return 0
        weights = {tenant_id: self._weight(tenant_id) for tenant_id in tenants}
        shortest = min(place.jobs // weights[tenant_id] for tenant_id, place in tenants.items())
        return min(shortest, most // sum(weights.values()))
