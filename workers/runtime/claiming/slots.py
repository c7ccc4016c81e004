"""The places that runs take in this worker, and for how much more work there is room, measured in time."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any, NamedTuple
from uuid import UUID

from infrastructure.concurrency.fair_slots import FairPlaces
from workers.runtime.claiming.pending import PendingJobs
from workers.runtime.claiming.throughput import ServiceRate
from workers.runtime.handler import Handler

AHEAD_SECONDS = 0.1
"""A worker has so much work waiting in it, at the rate it serves it: enough to be asked for more meanwhile, and too little
to keep a newcomer, or another worker that is free, waiting."""
CLAIMED_AHEAD_SECONDS = 0.05
"""The same of what is claimed already, where it has to wait for a place: a claim's way to PostgreSQL and back."""
MAX_AHEAD = 2_000


class Service(NamedTuple):
    """How much a worker gets done."""

    per_second: float
    """Jobs, while there are any. 0 where it hasn't had any yet."""
    free: int
    """As many jobs could start at once."""


class Slots:
    """So many places, and the line of those who wait for one in this worker."""

    def __init__(self, count: int, weight: Callable[[UUID], int], *, limited: bool = True) -> None:
        self.count = count
        self.line = PendingJobs(weight)
        self.rate = ServiceRate(time.monotonic())
        self.held = 0
        """By jobs that run or are claimed for it."""
        self.under_way = 0
        """Jobs named in a claim whose answer isn't there yet."""
        self.places = FairPlaces(count) if limited else None
        """None where every job that is claimed starts at once."""

    @property
    def free(self) -> int:
        return max(self.count - self.held - self.under_way, 0)

    @property
    def claimable(self) -> int:
        """How many more may be claimed: as many as can start soon."""
        ahead = 0 if self.places is None else int(self.rate.per_second * CLAIMED_AHEAD_SECONDS)
        return self.count + ahead - self.held - self.under_way

    @property
    def most_waiting(self) -> int:
        """How many jobs may wait here for a claim."""
        return min(self.free + int(self.rate.per_second * AHEAD_SECONDS), MAX_AHEAD)

    @property
    def room(self) -> int:
        """How many more it wants to be rung for; none before half of what may wait is gone, so that it asks for some at a
        time and has no use for crumbs."""
        most, waiting = self.most_waiting, len(self.line)
        return most - waiting if waiting <= most // 2 else 0

    @property
    def surplus(self) -> int:
        """How many wait here that should rather wait where another worker finds them."""
        most, waiting = self.most_waiting, len(self.line)
        return waiting - most if waiting > most + most // 2 else 0

    def look(self, now: float, age_seconds: float = 0.0) -> None:
        busy = bool(self.held or self.under_way or len(self.line))
        self.rate.look(now, places=self.count, busy=busy, age_seconds=age_seconds)


class AllSlots:
    """Which kind runs in which places. Every run has one of the worker's, those of some kinds one of fewer beside it."""

    def __init__(
        self, handlers: Sequence[Handler[Any]], weight: Callable[[UUID], int], *, concurrency: int, processors: int
    ) -> None:
        self.worker = Slots(concurrency, weight, limited=False)
        self._by_kind: dict[str, Slots] = {}
        at_processors = Slots(processors, weight)
        for handler in handlers:
            if handler.command_type.needs_processor:
                self._by_kind[handler.kind] = at_processors
            elif handler.most_at_once is not None:
                self._by_kind[handler.kind] = Slots(handler.most_at_once, weight)
        limited = list(dict.fromkeys(self._by_kind.values()))
        self.all = (self.worker, *limited)
        """In no order that anybody may rely on."""
        only_limited = limited and all(handler.kind in self._by_kind for handler in handlers)
        self._asking = tuple(limited) if only_limited else self.all
        """Those for whose sake bells are taken."""
        self.rests_until = 0.0
        """Until then no bells are taken at all."""

    def of(self, kind: str) -> Slots:
        return self._by_kind.get(kind, self.worker)

    def claim(self, slots: Slots, jobs: int) -> None:
        """So many more are named in a claim; fewer, when it is answered."""
        self.worker.under_way += jobs
        if slots is not self.worker:
            slots.under_way += jobs

    def hold(self, slots: Slots) -> None:
        """A job is claimed that runs in these."""
        self.worker.held += 1
        if slots is not self.worker:
            slots.held += 1

    def leave(self, slots: Slots, run_seconds: float | None) -> None:
        """Its run has ended, and its place is free. None: it never began."""
        self.worker.held -= 1
        if slots is not self.worker:
            slots.held -= 1
        if run_seconds is not None:
            slots.rate.ended(run_seconds)

    def look(self, now: float, running: Iterable[tuple[Slots, float]]) -> None:
        """Measures anew, knowing of each run where it runs and for how many seconds it has."""
        ages: dict[Slots, list[float]] = defaultdict(list)
        for slots, seconds in running:
            ages[slots].append(seconds)
        for slots in self.all:
            slots.look(now, fmean(ages[slots]) if slots in ages else 0.0)

    @property
    def waiting(self) -> int:
        return sum(len(slots.line) for slots in self.all)

    @property
    def room(self) -> int:
        """How many more jobs this worker wants to be rung for. Asked from another thread, so it only reads."""
        if time.monotonic() < self.rests_until:
            return 0
        return min(max(slots.room for slots in self._asking), self.worker.most_waiting)

    def takes_bells_without(self, slots: Slots) -> bool:
        """Whether there is room in others for whose sake bells are taken."""
        return any(other.room > 0 for other in self._asking if other is not slots)

    @property
    def service(self) -> Service:
        free = min(self.worker.free, sum(slots.free for slots in self._asking))
        return Service(sum(slots.rate.per_second for slots in self._asking), free)
