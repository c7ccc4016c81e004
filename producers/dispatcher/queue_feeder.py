"""Rings for one queue's tenants in turn, so that its lists hold what the workers start within AHEAD_SECONDS and little more."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from infrastructure.celery.doorbell import AHEAD_SECONDS, Doorbells
from infrastructure.celery.keys import FIRST_STEP, OWN_STEPS
from infrastructure.celery.message import Lot
from infrastructure.celery.pace import Service
from infrastructure.postgres.jobs import sweep, turns
from infrastructure.postgres.jobs.turns import BEFORE_ALL, MAX_TURNS, Next, Turn
from infrastructure.postgres.session import Connection
from monitoring.metrics import bus as metrics
from producers.dispatcher.doorbell_window import Window
from producers.dispatcher.turn_order import Rotation, Share

REFRESH_SECONDS = 0.1
"""How often the workers' reports and the age of the oldest doorbell are read."""
SLOW_SECONDS, STUCK_SECONDS = 0.3, 1.0
"""Once a doorbell has been in a list for longer than the first, all pending tenants are looked up in PostgreSQL and get
turns. Once one is older than the second, the list is longer than the workers start soon, and the newest are removed."""
SCAN_SECONDS, SCAN_SHARE = 0.25, 0.05
"""How often pending tenants are looked up, and the largest part of the time that may take."""
LATE_MILLISECONDS = 500
"""A job's id is made before its commit: one this old may still appear behind younger ones."""
LATEST_SECONDS = 5.0
"""One older than this is committed or never will be, as good as always."""
RESTART_SECONDS = 15.0
"""How often all cursors are reset, to find jobs that were committed later still or queued again."""
FIRST_TURN_SHARE = 0.5
"""The largest part of the throughput that goes to first turns, however many tenants come and go."""
FIRST_TURN_GAP_SECONDS = 0.5
"""Between two first turns of one tenant; less when a full rotation takes less."""
MAX_NEWCOMERS = 200
FEW_JOBS = 5
"""Newcomers with no more jobs than this go before those with more."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to read on in a (step, tenant)'s pending jobs."""

    after: UUID
    rung: frozenset[bytes] = frozenset()
    """Ids after the cursor that are pending and already rung for: see docs/decisions/0009."""


START = Cursor(UUID(int=0))


@dataclass(frozen=True, slots=True)
class _PlannedShare:
    """A share to read and to ring for in the list of `step`."""

    step: int
    share: Share
    cursor: Cursor

    @property
    def limit(self) -> int:
        """How many jobs to read: one more than may be rung for, which shows whether more are pending; for a newcomer, whether
        it has few."""
        return (FEW_JOBS if self.step == FIRST_STEP else self.share.jobs + len(self.cursor.rung)) + 1


class QueueFeeder:
    """Feeds one queue. Its state is only a cache: after a reset some jobs are rung for a second time, which is harmless."""

    def __init__(
        self, queue: str, doorbells: Doorbells, weight: Callable[[UUID], int], *, ring_again_seconds: float
    ) -> None:
        self.queue = queue
        self._doorbells = doorbells
        self._weight = weight
        self._ring_again_seconds = ring_again_seconds
        self._rotation = Rotation()
        self._cursors: dict[tuple[int, UUID], Cursor] = {}
        self._restarted_at = time.monotonic()
        self._window = Window()
        self._window_at = 0.0
        self._first_credit = 1.0
        """How many jobs may have a first turn now."""
        self._rang_last_round = False
        self._service = Service()
        self._rung_since = 0
        """Jobs rung since the workers last reported."""
        self._oldest_seconds = 0.0
        self._refreshed_at = self._next_scan_at = 0.0
        self._standing_since = 0.0
        """Since when the lists haven't been empty; 0 while they are."""
        self._scan_cursor = BEFORE_ALL
        self._scanning = True
        """Until every pending tenant has been found once, since some of their doorbells may be lost."""

    @property
    def waiting(self) -> bool:
        """Whether any tenant has pending jobs, or may have some that the scan hasn't found yet."""
        return self._scanning or len(self._rotation) > 0

    def mark_pending(self, turns_of: Iterable[tuple[int, UUID]], *, from_start: bool = False) -> None:
        """These (step, tenant) have pending jobs. With `from_start` they are all rung for again."""
        pending = list(turns_of)
        self._rotation.mark_pending(pending)
        if from_start:
            for turn in pending:
                self._cursors.pop(turn, None)

    def reset(self) -> None:
        """Forgets all tenants and cursors, and scans for them again."""
        self._rotation.clear()
        self._cursors.clear()
        self._restart_scan()

    async def run_round(self, connection: Connection, doorbells: Mapping[int, int]) -> int:
        """Runs one round and returns how many jobs were rung for. `doorbells`: the length of each list, by its step."""
        now = time.monotonic()
        own = sum(doorbells[step] for step in OWN_STEPS)
        await self._refresh(doorbells, now)
        if self._oldest_seconds > STUCK_SECONDS and own > self._window.doorbells and self._service.said_at:
            await self._trim()
            own = min(own, self._window.doorbells)
        self._standing_since = (self._standing_since or now) if own else 0.0
        stood_seconds = now - self._standing_since if own else 0.0
        if (stood_seconds > SLOW_SECONDS or self._scanning) and now >= self._next_scan_at:
            await self._scan(connection, now)
        self._resize_window(own + doorbells[FIRST_STEP], now)
        if now - self._restarted_at > RESTART_SECONDS:
            self._restarted_at = now
            self._cursors.clear()
        rung = await self._ring(connection, self._planned(own, doorbells[FIRST_STEP], now), now)
        self._rang_last_round = rung > 0
        self._rung_since += rung
        return rung

    async def _refresh(self, doorbells: Mapping[int, int], now: float) -> None:
        if now - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = now
        service = await self._doorbells.service(self.queue)
        if service != self._service:
            self._service, self._rung_since = service, 0
        standing = [step for step in OWN_STEPS if doorbells[step]]
        self._oldest_seconds = await self._doorbells.oldest_seconds(self.queue, standing) if standing else 0.0

    async def _trim(self) -> None:
        await self._doorbells.trim(self.queue, self._window.doorbells)
        self._cursors.clear()
        self._restart_scan()

    def _restart_scan(self) -> None:
        self._scanning, self._next_scan_at, self._scan_cursor = True, 0.0, BEFORE_ALL

    async def _scan(self, connection: Connection, now: float) -> None:
        """Looks up a page of the tenants with pending jobs: a slow list's own doorbells say nothing about whose turn it is."""
        if self._oldest_seconds > SLOW_SECONDS:
            await sweep.queue_retries(connection, self.queue, ring_again_seconds=self._ring_again_seconds)
        found = await turns.waiting(connection, self.queue, self._scan_cursor)
        self._rotation.mark_pending(found)
        if len(found) == MAX_TURNS:
            self._scan_cursor = found[-1]
        else:
            self._scan_cursor, self._scanning = BEFORE_ALL, False
        took_seconds = time.monotonic() - now
        self._next_scan_at = now + max(SCAN_SECONDS, took_seconds / SCAN_SHARE)

    def _resize_window(self, doorbells: int, now: float) -> None:
        self._window = self._window.next(
            self._service,
            rung_since=self._rung_since,
            ran_out=self._rang_last_round and not doorbells,
            calm_seconds=now - self._window_at,
        )
        per_second = self._service.jobs_per_second or self._window.jobs / AHEAD_SECONDS
        earned = FIRST_TURN_SHARE * per_second * (now - self._window_at)
        self._first_credit = min(self._first_credit + earned, max(FIRST_TURN_SHARE * self._window.jobs, 1.0))
        self._window_at = now

    def _planned(self, own_doorbells: int, first_doorbells: int, now: float) -> list[_PlannedShare]:
        """The shares of this round: newcomers first, then the tenants whose turn it is."""
        if not len(self._rotation):
            return []
        limit = MAX_NEWCOMERS if self._first_credit >= 1 and first_doorbells < self._window.doorbells else 0
        newcomers = self._rotation.newcomers(limit, now=now, gap_seconds=self._first_turn_gap_seconds())
        allocated = self._rotation.allocate(
            self._window.room(own_doorbells), self._weight, turn=self._window.jobs_per_turn
        )
        return [
            *(_PlannedShare(FIRST_STEP, share, START) for share in newcomers),
            *(_PlannedShare(share.step, share, self._cursors.get(share[:2], START)) for share in allocated),
        ]

    def _first_turn_gap_seconds(self) -> float:
        """How long a rotation with one job for each pending tenant takes, at most FIRST_TURN_GAP_SECONDS."""
        rate = self._service.jobs_per_second
        return min(len(self._rotation) / rate, FIRST_TURN_GAP_SECONDS) if rate > 0 else FIRST_TURN_GAP_SECONDS

    async def _ring(self, connection: Connection, planned: Sequence[_PlannedShare], now: float) -> int:
        if not planned:
            return 0
        found = await turns.next_of(
            connection,
            [Turn(self.queue, one.share.step, one.share.tenant_id, one.cursor.after, one.limit) for one in planned],
        )
        first = self._grant_first_turns(zip(planned, found, strict=True), now)
        lots: dict[int, list[Lot]] = defaultdict(list)
        rung = 0
        for one, jobs in zip(planned, found, strict=True):
            if (one.share.tenant_id in first) is not (one.step == FIRST_STEP):
                continue
            # How many were read says nothing of what is left: those rung for before may have been claimed since.
            fresh = jobs.without(one.cursor.rung, one.share.jobs + 1)
            if len(fresh) <= one.share.jobs:
                self._rotation.exhausted(*one.share[:2])
            unrung = fresh.first(one.share.jobs)
            self._remember(one, jobs, unrung)
            if unrung.kinds:
                lots[one.step].extend(lots_of(one.share.tenant_id, unrung))
                rung += len(unrung)
        metrics.doorbells_rung(
            await self._doorbells.ring_in_turn(self.queue, lots, limit=self._window.max_jobs_per_doorbell)
        )
        return rung

    def _grant_first_turns(self, found: Iterable[tuple[_PlannedShare, Next]], now: float) -> set[UUID]:
        """Spends the first-turn credit and returns the tenants that got one: newcomers with few jobs before the others."""
        newcomers = [(one, jobs) for one, jobs in found if one.step == FIRST_STEP]
        first: set[UUID] = set()
        for one, jobs in sorted(newcomers, key=lambda newcomer: len(newcomer[1]) > FEW_JOBS):
            tenant_id = one.share.tenant_id
            self._rotation.seen(tenant_id, has_few=len(jobs) <= FEW_JOBS)
            if not len(jobs):
                self._rotation.exhausted(*one.share[:2])
            elif self._first_credit >= 1:
                self._first_credit -= 1
                self._rotation.took_first_turn(tenant_id, now)
                first.add(tenant_id)
        return first

    def _remember(self, one: _PlannedShare, jobs: Next, unrung: Next) -> None:
        turn = one.share[:2]
        if one.step == FIRST_STEP and turn in self._cursors:
            return
        if self._cursors.get(turn, START) is not one.cursor:
            # Marked as pending from its start while its jobs were read.
            return
        known = one.cursor.rung.union(unrung.each())
        found = jobs.each()
        rung = [job_id for job_id in found if job_id in known]
        if not rung:
            self._cursors.pop(turn, None)
        else:
            self._cursors[turn] = cursor_after(rung, time.time(), gapless=found[: len(rung)] == rung)


def lots_of(tenant_id: UUID, jobs: Next) -> list[Lot]:
    """A tenant's jobs as one lot for each kind, in their order."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for number, kind in enumerate(jobs.kinds):
        kinds[kind].append(number)
    if len(kinds) == 1:
        return [Lot(jobs.kinds[0], tenant_id, jobs.ids)]
    return [Lot(kind, tenant_id, b"".join(map(jobs.id_at, numbers))) for kind, numbers in kinds.items()]


def cursor_after(rung: Sequence[bytes], now: float, *, gapless: bool = True) -> Cursor:
    """The cursor once all of these are rung for: behind the last, if nothing older can still be committed and no job between
    them was left out (`gapless`); else a little before the oldest, so that late commits are found and done jobs aren't read.

    A UUIDv7 begins with 48 bits of milliseconds (RFC 9562) and is made before its job is committed. `now`: Unix seconds.
    """
    first, last = int.from_bytes(rung[0]), int.from_bytes(rung[-1])
    if gapless and (last >> 80) / 1_000 < now - LATEST_SECONDS:
        return Cursor(UUID(int=last + 1))
    return Cursor(UUID(int=max(first - (LATE_MILLISECONDS << 80), 0)), frozenset(rung))
