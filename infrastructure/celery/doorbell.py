"""Rings: pushes doorbells into the queues' lists, for each tenant only so many at a time.

What exceeds a tenant's window waits in PostgreSQL and is rung by turns (producers/turns.py), so that one tenant's
hundred thousand jobs stand in nobody's way, and Redis holds little whatever the backlog.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from infrastructure.celery.lists import list_of, lists_of, overflow_of, parts_of, rung_of, step_of, turn_of
from infrastructure.celery.message import MOST_JOBS_IN_A_BELL, Lot, Ring, messages_in_turn, messages_of
from infrastructure.redis.client import Redis
from infrastructure.redis.line import Command, Line
from infrastructure.redis.loudspeaker import Channel, announce
from schemas.commands import Queue

WINDOW = 200
"""Jobs of one tenant and step that are rung as they are submitted; those beyond it are rung by turns."""
KNOWN_SECONDS = 0.1
"""How long a count that Redis told is believed."""
UNASKED = MOST_JOBS_IN_A_BELL
"""What is rung for a tenant whose count isn't known: a lone job never waits for an answer."""
# HINCRBY for several turns: where a thousand tenants wait, a reply for each would take a worker as long as all else that it
# does for their jobs.
_ADD_TO_COUNTS = """
local counts = {}
for n = 1, #ARGV, 2 do
  counts[#counts + 1] = redis.call('HINCRBY', KEYS[1], ARGV[n], ARGV[n + 1])
end
return counts
"""


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of a ring: bells pushed, and jobs whose turn comes later."""

    bells: int
    withheld: int


class Doorbells:
    """One per process. Every method raises one of the client's FAULTS when Redis can't take it; repeating is safe, and so
    is leaving it to the sweeper."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._line = Line(redis)
        self._known: dict[tuple[str, str], tuple[int, float]] = {}

    async def ring(self, rings: Iterable[Ring], *, traceparent: str | None = None) -> Rung:
        """Rings for those within their tenant's window; the others are named as overflowing and wait for their turn."""
        within, beyond = self._admit(rings)
        bells = await self.ring_now(within, traceparent=traceparent)
        if beyond:
            # The first ring told how many of each are rung already.
            within, beyond = self._admit(beyond)
            bells += await self.ring_now(within, traceparent=traceparent)
        if beyond:
            await self._name_overflowing(beyond)
        return Rung(bells, len(beyond))

    async def ring_now(self, rings: Iterable[Ring], *, traceparent: str | None = None, ahead: bool = False) -> int:
        """How many bells were pushed, whatever the windows say: for jobs whose turn it is, or, ahead, for some that are
        being committed."""
        rings = list(rings)
        if not rings:
            return 0
        counts = Counter(map(_key_of, rings))
        return await self._push(messages_of(rings, traceparent, ahead=ahead), counts)

    async def ring_in_turn(self, queue: str, lots: Mapping[int, Sequence[Lot]]) -> int:
        """The same for lots of a queue, by their step."""
        if not lots:
            return 0
        counts = Counter[tuple[str, str]]()
        for step, some in lots.items():
            for lot in some:
                counts[queue, turn_of(step, lot.tenant_id)] += lot.jobs
        return await self._push(
            {list_of(queue, step): messages_in_turn(queue, step, some) for step, some in lots.items()}, counts
        )

    async def give_back(self, rings: Sequence[Ring], *, bell_jobs: int, last: bool = False) -> None:
        """Puts jobs that a worker was rung for and hasn't begun back to the front of their queue, or behind all others, in
        bells of at most so many. They are rung as before, so nothing is counted."""
        shares = [messages_of(rings[start : start + bell_jobs]) for start in range(0, len(rings), bell_jobs)]
        if not last:
            shares.reverse()  # What is pushed to the front last comes first.
        pushes: dict[str, list[bytes]] = defaultdict(list)
        for share in shares:
            for name, messages in share.items():
                pushes[name] += messages
        if pushes:
            await self._line.ask(*_pushes("LPUSH" if last else "RPUSH", pushes))

    async def take(self, taken: Mapping[tuple[str, str], int]) -> None:
        """So many of each (queue, turn) are a worker's now: as many more may be rung."""
        await self._line.ask(
            *(
                _add_to_counts(queue, {turn: -count for turn, count in turns.items()})
                for queue, turns in _by_queue(taken).items()
            )
        )

    async def overflowing(self, queues: Sequence[Queue], most: int) -> dict[Queue, dict[tuple[int, UUID], int]]:
        """Of each queue that somebody overflows: (lane, tenant), with how many of its jobs are rung; of more than `most`,
        any `most`."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.srandmember(overflow_of(queue), most)
            named = await pipe.execute()
        turns = {
            queue: [member.decode() for member in members]
            for queue, members in zip(queues, named, strict=True)
            if members
        }
        if not turns:
            return {}
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue, members in turns.items():
                pipe.hmget(rung_of(queue), members)
            counts = await pipe.execute()
        return {
            queue: {parts_of(turn): int(count or 0) for turn, count in zip(members, rung, strict=True)}
            for (queue, members), rung in zip(turns.items(), counts, strict=True)
        }

    async def begin_overflow(self, queue: str, turns: Iterable[tuple[int, UUID]]) -> None:
        await self._redis.sadd(overflow_of(queue), *(turn_of(step, tenant_id) for step, tenant_id in turns))

    async def end_overflow(self, queue: str, turns: Iterable[tuple[int, UUID]]) -> None:
        await self._redis.srem(overflow_of(queue), *(turn_of(step, tenant_id) for step, tenant_id in turns))

    async def forget_counts(self, queue: str) -> None:
        """Starts counting anew: where no bell waits, whatever the counts say is of bells that are lost or being taken."""
        await self._redis.delete(rung_of(queue))

    async def empty_queues(self, queues: Iterable[str]) -> list[str]:
        """Those of the queues that have no bell waiting."""
        names = list(queues)
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue in names:
                pipe.exists(*lists_of(queue))
            found = await pipe.execute()
        return [queue for queue, lists in zip(names, found, strict=True) if not lists]

    async def _push(self, messages: Mapping[str, Sequence[bytes]], counts: Mapping[tuple[str, str], int]) -> int:
        queues = _by_queue(counts)
        replies = await self._line.ask(
            *_pushes("LPUSH", messages),
            *(_add_to_counts(queue, turns) for queue, turns in queues.items()),
        )
        for (queue, turns), told in zip(queues.items(), replies[len(messages) :], strict=True):
            counts_now = told if isinstance(told, list) else [told]
            self._learn({(queue, turn): count for turn, count in zip(turns, counts_now, strict=True)})
        return sum(map(len, messages.values()))

    def have_room_for(self, rings: Sequence[Ring]) -> bool:
        """Whether all of these are within their tenants' windows, as far as is known. Nothing is said to anybody."""
        now = time.monotonic()
        return all(self._count_of(_key_of(ring), now) + len(rings) <= WINDOW for ring in rings)

    def _admit(self, rings: Iterable[Ring]) -> tuple[list[Ring], list[Ring]]:
        """Those that may be rung now, and the others."""
        now = time.monotonic()
        within: list[Ring] = []
        beyond: list[Ring] = []
        for ring in rings:
            key = _key_of(ring)
            if (count := self._count_of(key, now)) < WINDOW:
                within.append(ring)
                self._known[key] = (count + 1, now)
            else:
                beyond.append(ring)
        return within, beyond

    def _count_of(self, key: tuple[str, str], now: float) -> int:
        count, told_at = self._known.get(key, (0, 0.0))
        return count if now - told_at <= KNOWN_SECONDS else WINDOW - UNASKED

    def _learn(self, counts: Mapping[tuple[str, str], int]) -> None:
        now = time.monotonic()
        if len(self._known) > 10_000:
            self._known.clear()
        for key, count in counts.items():
            self._known[key] = (count, now)

    async def _name_overflowing(self, rings: list[Ring]) -> None:
        turns = list(set(map(_key_of, rings)))
        replies = await self._line.ask(
            *(("SADD", overflow_of(queue), turn) for queue, turn in turns),
            *(("HGET", rung_of(queue), turn) for queue, turn in turns),
        )
        self._learn({key: int(count or 0) for key, count in zip(turns, replies[len(turns) :], strict=True)})
        if any(replies[: len(turns)]):
            await announce(self._redis, Channel.OVERFLOW, ())


def _by_queue(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    queues: dict[str, dict[str, int]] = defaultdict(dict)
    for (queue, turn), count in counts.items():
        queues[queue][turn] = count
    return queues


def _pushes(name: str, messages: Mapping[str, Sequence[bytes]]) -> list[Command]:
    return [[name, key, *bells] for key, bells in messages.items()]


def _add_to_counts(queue: str, turns: Mapping[str, int]) -> Command:
    """Its reply has the new counts, in this order; or is the one count."""
    if len(turns) == 1:
        # Redis answers who waits for a bell after all that came with it, so a lone bell comes without a script.
        [(turn, count)] = turns.items()
        return "HINCRBY", rung_of(queue), turn, count
    return "EVAL", _ADD_TO_COUNTS, 1, rung_of(queue), *(word for turn in turns.items() for word in turn)


def _key_of(ring: Ring) -> tuple[str, str]:
    """The queue and the turn in it."""
    return ring.queue, turn_of(step_of(ring.priority), ring.tenant_id)
