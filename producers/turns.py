"""Rings by turns for tenants that have more jobs waiting than may be rung at once.

The rest of their jobs waits in PostgreSQL. As workers take what was rung, each tenant's window is filled up again, all
tenants in one round, their jobs mixed in turn: a tenant's single job stands behind one window of each other tenant at the
most, however long the others' backlogs are.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from infrastructure.celery.doorbell import WINDOW, Doorbells
from infrastructure.celery.message import Lot
from infrastructure.ports import Unavailable
from infrastructure.postgres import turns
from infrastructure.postgres.connections import Connection, Line
from infrastructure.postgres.turns import Next, Turn
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.loudspeaker import Channel, listen
from monitoring import metrics
from producers.rules import RuleBook
from schemas.commands import Queue

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.1
MUCH = 1 / 16
"""Of what may be rung. A round that rang less is followed by a longer pause: of a thousand tenants some are always hungry,
and each round would look at all of them to ring small bells for a few."""
LEAST_RUNG, MOST_RUNG = 100, 8_000
"""What all overflowing tenants of a queue together may have rung. Found by trying: twice as much when somebody's window
ran low between two rounds, four times as much when it ran empty, a tenth less when nobody took enough to be hungry for a
while. So quick jobs never wait for a round, and of slow ones few stand in line before a newcomer's."""
RUNNING_LOW = 0.25
"""Of a window. One that must run empty to be seen leaves the workers without work while the round goes on."""
LASTING_SECONDS = 0.25
"""What nobody took half of in this time is more than is needed."""
SMALLEST_WINDOW = 10
MOST_TURNS_IN_A_ROUND = 500
LATE_MILLISECONDS = 500
"""A job's id is made before it is committed: one that old may well still appear."""
LATEST_SECONDS = 5.0
"""One older than this hardly does."""
LOOK_BACK_SECONDS = 15.0
"""So often everybody is read from the oldest again: for what was committed later still, or queued again."""
ONE_FEEDER_AT_A_TIME = 0x7475_726E
"""The advisory lock's key: "turn" in ASCII."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a turn's waiting jobs to read on."""

    after: UUID
    rung: frozenset[bytes] = frozenset()
    """Those from there on that wait and are rung for. Whoever has none here may be rung for twice, which is free; counts
    alone lag behind what workers take, and whom they hid waited for the sweep."""


START = Place(UUID(int=0))


class Turns:
    """One feeder rings at a time, however many dispatchers run."""

    def __init__(self, redis: Redis, line: Line, rules: RuleBook) -> None:
        self._redis = redis
        self._doorbells = Doorbells(redis)
        self._line = line
        self._rules = rules
        self._places: dict[tuple[str, int, UUID], Place] = {}
        self._looked_back_at = 0.0
        self._budgets = dict.fromkeys(Queue, WINDOW)
        self._fitted_at = dict.fromkeys(Queue, 0.0)
        """When the budget was last found right, or changed."""
        self._called = asyncio.Event()

    def call(self) -> None:
        """Somebody may be waiting for a turn."""
        self._called.set()

    async def listen_for_ever(self) -> None:
        async for _ in listen(self._redis, Channel.OVERFLOW):
            self.call()

    async def serve_for_ever(self) -> None:
        """Sleeps until somebody overflows, then goes round until nobody does."""
        while True:
            await self._called.wait()
            self._called.clear()
            try:
                await self._line.run(self._serve)
            except Unavailable:
                logger.warning("no turns are given: PostgreSQL can't be reached")
            except FAULTS:
                logger.warning("no turns are given: Redis can't be reached")
            except Exception:  # The loop's edge: one failed round must not be the last.
                logger.exception("giving turns failed; the next call tries again")

    async def _serve(self, connection: Connection) -> None:
        if not await self._lock(connection, "pg_try_advisory_lock"):
            return
        try:
            pause_seconds = ROUND_SECONDS
            while (much := await self._round(connection)) is not None:
                pause_seconds = ROUND_SECONDS if much else min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause_seconds)
        finally:
            self._places.clear()
            with suppress(Exception):  # A lost connection has given the lock up by itself.
                await self._lock(connection, "pg_advisory_unlock")

    async def _lock(self, connection: Connection, function: str) -> bool:
        found = await connection.execute(f"SELECT {function}({ONE_FEEDER_AT_A_TIME})")
        row = await found.fetchone()
        return row is not None and bool(row[0])

    async def _round(self, connection: Connection) -> bool | None:
        """Whether much was rung, so that more will be wanted soon; None when nobody overflows any more."""
        if time.monotonic() - self._looked_back_at > LOOK_BACK_SECONDS:
            self._looked_back_at = time.monotonic()
            self._places.clear()
        # Whoever opens a closed queue calls all that wait.
        queues = [queue for queue in Queue if queue not in self._rules.now.closed_queues]
        much = None
        for queue, counts in (await self._doorbells.overflowing(queues, MOST_TURNS_IN_A_ROUND)).items():
            rung = await self._fill_up(connection, queue, counts)
            much = bool(much) or rung >= self._budgets[queue] * MUCH
        return much

    async def _fill_up(self, connection: Connection, queue: Queue, counts: dict[tuple[int, UUID], int]) -> int:
        weights = {turn: self._rules.now.weight(turn[1]) for turn in counts}
        windows = windows_of(self._budgets[queue], weights)
        hungry = {turn: max(count, 0) for turn, count in counts.items() if count <= windows[turn] // 2}
        self._fit_budget(queue, [count / windows[turn] for turn, count in hungry.items()])
        if not hungry:
            return 0
        # Taken off the list before they are read: whoever overflows meanwhile is put on it anew.
        await self._doorbells.end_overflow(queue, hungry)
        places = [self._places.get((queue, *turn), START) for turn in hungry]
        wanted = [
            Turn(queue, *turn, place.after, windows[turn] if place.rung else windows[turn] - count)
            for (turn, count), place in zip(hungry.items(), places, strict=True)
        ]
        found = await turns.next_of(connection, wanted)
        more = [turn for turn, jobs, one in zip(hungry, found, wanted, strict=True) if len(jobs) == one.most]
        self._remember(queue, hungry, found, set(more))
        lots: dict[int, list[Lot]] = defaultdict(list)
        rung = 0
        for ((step, tenant_id), count), jobs, place in zip(hungry.items(), found, places, strict=True):
            if rest := not_rung(jobs, place.rung, count):
                lots[step].extend(lots_of(tenant_id, rest))
                rung += len(rest)
        metrics.doorbells_rung(await self._doorbells.ring_in_turn(queue, lots))
        if more:
            await self._doorbells.begin_overflow(queue, more)
        return rung

    def _fit_budget(self, queue: Queue, left: list[float]) -> None:
        now, budget = time.monotonic(), self._budgets[queue]
        self._budgets[queue] = next_budget(budget, left, fits_for_seconds=now - self._fitted_at[queue])
        if left or self._budgets[queue] != budget:
            self._fitted_at[queue] = now

    def _remember(
        self, queue: Queue, hungry: dict[tuple[int, UUID], int], found: list[Next], more: set[tuple[int, UUID]]
    ) -> None:
        for turn, jobs in zip(hungry, found, strict=True):
            place = (queue.value, *turn)
            if turn in more and jobs:
                self._places[place] = place_after(jobs.each(), time.time())
            else:
                self._places.pop(place, None)


def lots_of(tenant_id: UUID, jobs: Next) -> list[Lot]:
    """A tenant's jobs by their kind."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for number, kind in enumerate(jobs.kinds):
        kinds[kind].append(number)
    if len(kinds) == 1:
        return [Lot(jobs.kinds[0], tenant_id, jobs.ids)]
    return [Lot(kind, tenant_id, b"".join(map(jobs.id_at, numbers))) for kind, numbers in kinds.items()]


def not_rung(jobs: Next, rung: frozenset[bytes], count: int) -> Next:
    """Those of the jobs to ring for: all but the `rung` ones, of which no more than `count` can still have a bell. Where
    it says fewer, bells were lost, and the oldest are taken for those that lost theirs."""
    if not rung:
        return jobs
    known = [number for number, job_id in enumerate(jobs.each()) if job_id in rung]
    return jobs.without(known[max(len(known) - count, 0) :])


def place_after(waiting: Sequence[bytes], now: float) -> Place:
    """Where to go on once all of these are rung for. Behind the last when nothing older can still be committed; until then
    a little before the oldest that waited, which never walks over all that was done before.

    A UUIDv7 begins with 48 bits of milliseconds (RFC 9562), and is made before its job is committed.
    """
    first, last = int.from_bytes(waiting[0]), int.from_bytes(waiting[-1])
    if (last >> 80) / 1_000 < now - LATEST_SECONDS:
        return Place(UUID(int=last + 1))
    return Place(UUID(int=max(first - (LATE_MILLISECONDS << 80), 0)), frozenset(waiting))


def next_budget(budget: int, left: Sequence[float], *, fits_for_seconds: float) -> int:
    """How much may be rung next time, given what share of its window each hungry tenant has left, and for how long the
    budget hasn't been touched."""
    if left:
        growth = 4 if not min(left) else 2 if min(left) < RUNNING_LOW else 1
        return min(MOST_RUNG, budget * growth)
    return max(LEAST_RUNG, budget * 9 // 10) if fits_for_seconds > LASTING_SECONDS else budget


def windows_of(budget: int, weights: Mapping[tuple[int, UUID], int]) -> dict[tuple[int, UUID], int]:
    """How many jobs each may have rung: its weight's share of the budget, and never so few that it can't be seen."""
    total = sum(weights.values())
    return {turn: max(SMALLEST_WINDOW, budget * weight // total) for turn, weight in weights.items()}
