"""A worker's slots, and for how much more work there is room, measured in seconds."""

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
"""How much work is pending in a worker, at its measured throughput: enough to bridge the next fetch, and too little to keep
a newcomer or an idle worker waiting."""
CLAIMED_AHEAD_SECONDS = 0.05
"""The same for jobs claimed ahead of a limited slot: one claim's round trip to PostgreSQL."""
MAX_AHEAD = 2_000


class Service(NamedTuple):
    """A worker's throughput and free slots."""

    per_second: float
    """Jobs per second while there is work; 0 before the first."""
    free: int
    """How many jobs could start at once."""


class Slots:
    """A number of slots, and this worker's pending jobs for them."""

    def __init__(self, count: int, weight: Callable[[UUID], int], *, limited: bool = True) -> None:
        self.count = count
        self.pending = PendingJobs(weight)
        self.rate = ServiceRate(time.monotonic())
        self.held = 0
        """Slots held by running jobs and by claimed ones that wait."""
        self.under_way = 0
        """Jobs in a claim that hasn't returned yet."""
        self.places = FairPlaces(count) if limited else None
        """None when every claimed job starts at once."""

    @property
    def free(self) -> int:
        return max(self.count - self.held - self.under_way, 0)

    @property
    def claimable(self) -> int:
        """How many more jobs may be claimed: as many as can start soon."""
        ahead = 0 if self.places is None else int(self.rate.per_second * CLAIMED_AHEAD_SECONDS)
        return self.count + ahead - self.held - self.under_way

    @property
    def max_pending(self) -> int:
        """How many jobs may be pending here."""
        return min(self.free + int(self.rate.per_second * AHEAD_SECONDS), MAX_AHEAD)

    @property
    def room(self) -> int:
        """How many more jobs to fetch; 0 until half of `max_pending` is free, so that they are fetched in larger batches."""
        limit, waiting = self.max_pending, len(self.pending)
        return limit - waiting if waiting <= limit // 2 else 0

    @property
    def surplus(self) -> int:
        """How many pending jobs should go back to the queue, where another worker finds them."""
        limit, waiting = self.max_pending, len(self.pending)
        return waiting - limit if waiting > limit + limit // 2 else 0

    def measure(self, now: float, age_seconds: float = 0.0) -> None:
        busy = bool(self.held or self.under_way or len(self.pending))
        self.rate.measure(now, slots=self.count, busy=busy, age_seconds=age_seconds)


class AllSlots:
    """The slots of each kind. Every run holds one of the worker's slots; CPU-bound and limited kinds hold one of their own set
    as well."""

    def __init__(
        self, handlers: Sequence[Handler[Any]], weight: Callable[[UUID], int], *, concurrency: int, processors: int
    ) -> None:
        self.worker = Slots(concurrency, weight, limited=False)
        self._by_kind: dict[str, Slots] = {}
        self.processors = Slots(processors, weight)
        for handler in handlers:
            if handler.command_type.needs_processor:
                self._by_kind[handler.kind] = self.processors
            elif handler.most_at_once is not None:
                self._by_kind[handler.kind] = Slots(handler.most_at_once, weight)
        limited = list(dict.fromkeys(self._by_kind.values()))
        self.all = (self.worker, *limited)
        """The order has no meaning."""
        only_limited = limited and all(handler.kind in self._by_kind for handler in handlers)
        self._accepting = tuple(limited) if only_limited else self.all
        """The sets whose room decides whether doorbells are taken."""
        self.paused_until = 0.0
        """No doorbells are taken before this time."""

    def of(self, kind: str) -> Slots:
        return self._by_kind.get(kind, self.worker)

    def claim(self, slots: Slots, jobs: int) -> None:
        """Adds so many jobs to the claims under way; a negative number when one has returned."""
        self.worker.under_way += jobs
        if slots is not self.worker:
            slots.under_way += jobs

    def hold(self, slots: Slots) -> None:
        """A job for these slots was claimed."""
        self.worker.held += 1
        if slots is not self.worker:
            slots.held += 1

    def leave_processors(self, run_seconds: float) -> None:
        """A run that turned out to wait rather than to compute holds only the worker's slot from now on."""
        self.processors.held -= 1
        self.processors.rate.ended(run_seconds)

    def leave(self, slots: Slots, run_seconds: float | None) -> None:
        """Frees the slot of an ended run. `run_seconds` is None when it never started."""
        self.worker.held -= 1
        if slots is not self.worker:
            slots.held -= 1
        if run_seconds is not None:
            slots.rate.ended(run_seconds)

    def measure(self, now: float, running: Iterable[tuple[Slots, float]]) -> None:
        """Updates the throughput. `running`: the slots of each run, and for how many seconds it has run."""
        ages: dict[Slots, list[float]] = defaultdict(list)
        for slots, seconds in running:
            ages[slots].append(seconds)
        for slots in self.all:
            slots.measure(now, fmean(ages[slots]) if slots in ages else 0.0)

    @property
    def waiting(self) -> int:
        return sum(len(slots.pending) for slots in self.all)

    @property
    def room(self) -> int:
        """How many more jobs to fetch. Called from another thread, so it only reads."""
        if time.monotonic() < self.paused_until:
            return 0
        return min(max(slots.room for slots in self._accepting), self.worker.max_pending)

    def accepts_others_than(self, slots: Slots) -> bool:
        """Whether other slots have room, so that doorbells are still taken."""
        return any(other.room > 0 for other in self._accepting if other is not slots)

    @property
    def service(self) -> Service:
        free = min(self.worker.free, sum(slots.free for slots in self._accepting))
        return Service(sum(slots.rate.per_second for slots in self._accepting), free)
