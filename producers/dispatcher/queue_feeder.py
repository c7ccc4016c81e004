"""Rings for one queue's tenants by turns, so that its lists always hold what its workers begin within a fifth of a second,
and never much more."""

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
from schemas.commands import Queue

LOOK_SECONDS = 0.1
"""So often a queue's workers are heard, and the age of its bells is looked at."""
SLOW_SECONDS, STUCK_SECONDS = 0.3, 1.0
"""Where some bell stood for longer than the first, everybody who waits in PostgreSQL is given a turn, however it was rung
for. Where one bell stood for longer than the second there are more than are begun soon, and the newest are taken back."""
SEEK_SECONDS, SEEKING = 0.25, 0.05
"""So often who waits is sought, and for that part of the time at the most."""
LATE_MILLISECONDS = 500
"""A job's id is made before it is committed: one that old may well still appear."""
LATEST_SECONDS = 5.0
"""One older than this hardly does."""
LOOK_BACK_SECONDS = 15.0
"""So often everybody is read from the oldest again: for what was committed later still, or queued again."""
FIRSTS = 0.5
"""That part of what is served goes to first turns at the most, however many tenants come and go."""
APART_SECONDS = 0.5
"""Between two first turns of a tenant, or less where everybody's turn comes sooner."""
MOST_NEWCOMERS = 200
FEW_JOBS = 5
"""Of newcomers those with so few are served before those with more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a turn's waiting jobs to read on."""

    after: UUID
    rung: frozenset[bytes] = frozenset()
    """Those from there on that wait and are rung for: see docs/decisions/0009."""


START = Place(UUID(int=0))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A share to be read and rung for in that list."""

    step: int
    share: Share
    place: Place

    @property
    def most(self) -> int:
        """One more than is to be rung for, which tells whether there is more; of a newcomer, whether it has few."""
        return (FEW_JOBS if self.step == FIRST_STEP else self.share.jobs + len(self.place.rung)) + 1


class QueueFeeder:
    """Of one queue. What it remembers it can do without: whoever begins anew rings for some a second time."""

    def __init__(
        self, queue: Queue, doorbells: Doorbells, weight: Callable[[UUID], int], *, ring_again_seconds: float
    ) -> None:
        self.queue = queue
        self._doorbells = doorbells
        self._weight = weight
        self._ring_again_seconds = ring_again_seconds
        self._rotation = Rotation()
        self._places: dict[tuple[int, UUID], Place] = {}
        self._looked_back_at = time.monotonic()
        self._window = Window()
        self._window_at = 0.0
        self._first_credit = 1.0
        """Jobs that may have a first turn now."""
        self._rang = False
        """In the last round."""
        self._service = Service()
        self._rung_since = 0
        """Jobs, since the workers spoke last."""
        self._oldest_seconds = 0.0
        self._looked_at = self._seek_at = 0.0
        self._standing_since = 0.0
        """When some bell came; 0 while none stands."""
        self._sought = BEFORE_ALL
        self._seeking = True
        """Until everybody who waits has been found once, since some of their bells may be gone."""

    @property
    def waiting(self) -> bool:
        """Whether anybody waits for a turn, or may do so."""
        return self._seeking or len(self._rotation) > 0

    def name(self, turns_of: Iterable[tuple[int, UUID]], *, anew: bool = False) -> None:
        """These (step, tenant) have jobs that wait; anew, as if none of them was rung for."""
        named = list(turns_of)
        self._rotation.name(named)
        if anew:
            for turn in named:
                self._places.pop(turn, None)

    def begin_anew(self) -> None:
        """As whoever knows of nobody yet."""
        self._rotation.clear()
        self._places.clear()
        self._seek_all()

    async def round(self, connection: Connection, bells: Mapping[int, int]) -> int:
        """How many jobs were rung for, given the bells that stand in each list."""
        now = time.monotonic()
        own = sum(bells[step] for step in OWN_STEPS)
        await self._look(bells, now)
        if self._oldest_seconds > STUCK_SECONDS and own > self._window.bells and self._service.said_at:
            await self._take_back()
            own = min(own, self._window.bells)
        self._standing_since = (self._standing_since or now) if own else 0.0
        stood_seconds = now - self._standing_since if own else 0.0
        if (stood_seconds > SLOW_SECONDS or self._seeking) and now >= self._seek_at:
            await self._seek(connection, now)
        self._fit(own + bells[FIRST_STEP], now)
        if now - self._looked_back_at > LOOK_BACK_SECONDS:
            self._looked_back_at = now
            self._places.clear()
        rung = await self._ring(connection, self._wanted(own, bells[FIRST_STEP], now), now)
        self._rang = rung > 0
        self._rung_since += rung
        return rung

    async def _look(self, bells: Mapping[int, int], now: float) -> None:
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        service = await self._doorbells.service(self.queue)
        if service != self._service:
            self._service, self._rung_since = service, 0
        standing = [step for step in OWN_STEPS if bells[step]]
        self._oldest_seconds = await self._doorbells.oldest_seconds(self.queue, standing) if standing else 0.0

    async def _take_back(self) -> None:
        await self._doorbells.trim(self.queue, self._window.bells)
        self._places.clear()
        self._seek_all()

    def _seek_all(self) -> None:
        self._seeking, self._seek_at, self._sought = True, 0.0, BEFORE_ALL

    async def _seek(self, connection: Connection, now: float) -> None:
        """Finds whoever waits, a page at a time: in a list that hardly moves nobody's bell says when its turn is."""
        if self._oldest_seconds > SLOW_SECONDS:
            await sweep.queue_retries(connection, self.queue, ring_again_seconds=self._ring_again_seconds)
        found = await turns.waiting(connection, self.queue, self._sought)
        self._rotation.name(found)
        if len(found) == MAX_TURNS:
            self._sought = found[-1]
        else:
            self._sought, self._seeking = BEFORE_ALL, False
        took_seconds = time.monotonic() - now
        self._seek_at = now + max(SEEK_SECONDS, took_seconds / SEEKING)

    def _fit(self, bells: int, now: float) -> None:
        self._window = self._window.next(
            self._service,
            rung_since=self._rung_since,
            ran_out=self._rang and not bells,
            calm_seconds=now - self._window_at,
        )
        per_second = self._service.jobs_per_second or self._window.jobs / AHEAD_SECONDS
        earned = FIRSTS * per_second * (now - self._window_at)
        self._first_credit = min(self._first_credit + earned, max(FIRSTS * self._window.jobs, 1.0))
        self._window_at = now

    def _wanted(self, own_bells: int, first_bells: int, now: float) -> list[_Wanted]:
        """Newcomers, then whose turn it is."""
        if not len(self._rotation):
            return []
        most = MOST_NEWCOMERS if self._first_credit >= 1 and first_bells < self._window.bells else 0
        newcomers = self._rotation.newcomers(most, now=now, apart_seconds=self._apart_seconds())
        dealt = self._rotation.deal(self._window.room(own_bells), self._weight, turn=self._window.turn)
        return [
            *(_Wanted(FIRST_STEP, share, START) for share in newcomers),
            *(_Wanted(share.step, share, self._places.get(share[:2], START)) for share in dealt),
        ]

    def _apart_seconds(self) -> float:
        """How long it takes until everybody who waits had a job begun; not more than a newcomer's patience."""
        rate = self._service.jobs_per_second
        return min(len(self._rotation) / rate, APART_SECONDS) if rate > 0 else APART_SECONDS

    async def _ring(self, connection: Connection, wanted: Sequence[_Wanted], now: float) -> int:
        if not wanted:
            return 0
        found = await turns.next_of(
            connection,
            [Turn(self.queue, one.share.step, one.share.tenant_id, one.place.after, one.most) for one in wanted],
        )
        first = self._who_goes_first(zip(wanted, found, strict=True), now)
        lots: dict[int, list[Lot]] = defaultdict(list)
        rung = 0
        for one, jobs in zip(wanted, found, strict=True):
            if (one.share.tenant_id in first) is not (one.step == FIRST_STEP):
                continue
            going = jobs.without(one.place.rung, one.share.jobs)
            if len(jobs) <= one.share.jobs + len(one.place.rung):
                self._rotation.exhausted(*one.share[:2])
            self._remember(one, jobs, going)
            if going.kinds:
                lots[one.step].extend(lots_of(one.share.tenant_id, going))
                rung += len(going)
        metrics.doorbells_rung(await self._doorbells.ring_in_turn(self.queue, lots, most=self._window.bell))
        return rung

    def _who_goes_first(self, found: Iterable[tuple[_Wanted, Next]], now: float) -> set[UUID]:
        """Of the newcomers those with few jobs, and others where first turns are left."""
        newcomers = [(one, jobs) for one, jobs in found if one.step == FIRST_STEP]
        first: set[UUID] = set()
        for one, jobs in sorted(newcomers, key=lambda newcomer: len(newcomer[1]) > FEW_JOBS):
            tenant_id = one.share.tenant_id
            self._rotation.seen(tenant_id, has_few=len(jobs) <= FEW_JOBS)
            if not len(jobs):
                self._rotation.exhausted(*one.share[:2])
            elif self._first_credit >= 1:
                self._first_credit -= 1
                self._rotation.went_first(tenant_id, now)
                first.add(tenant_id)
        return first

    def _remember(self, one: _Wanted, jobs: Next, going: Next) -> None:
        turn = one.share[:2]
        if one.step == FIRST_STEP and turn in self._places:
            return
        known = one.place.rung.union(going.each())
        found = jobs.each()
        rung = [job_id for job_id in found if job_id in known]
        if not rung:
            self._places.pop(turn, None)
        else:
            self._places[turn] = place_after(rung, time.time(), gapless=found[: len(rung)] == rung)


def lots_of(tenant_id: UUID, jobs: Next) -> list[Lot]:
    """A tenant's jobs by their kind."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for number, kind in enumerate(jobs.kinds):
        kinds[kind].append(number)
    if len(kinds) == 1:
        return [Lot(jobs.kinds[0], tenant_id, jobs.ids)]
    return [Lot(kind, tenant_id, b"".join(map(jobs.id_at, numbers))) for kind, numbers in kinds.items()]


def place_after(rung: Sequence[bytes], now: float, *, gapless: bool = True) -> Place:
    """Where to go on once all of these are rung for. Behind the last when nothing older can still be committed and, gapless,
    nobody between them waits for a bell; until then a little before the oldest that waited, which never walks over all
    that was done before.

    A UUIDv7 begins with 48 bits of milliseconds (RFC 9562), and is made before its job is committed.
    """
    first, last = int.from_bytes(rung[0]), int.from_bytes(rung[-1])
    if gapless and (last >> 80) / 1_000 < now - LATEST_SECONDS:
        return Place(UUID(int=last + 1))
    return Place(UUID(int=max(first - (LATE_MILLISECONDS << 80), 0)), frozenset(rung))
