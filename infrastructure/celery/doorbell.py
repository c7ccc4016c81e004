"""Rings: pushes doorbells into the queues' lists while these are short.

What finds them long waits in PostgreSQL and is rung by turns (producers/dispatcher/fair_scheduler.py), so that one tenant's hundred thousand
jobs stand in nobody's way, and Redis holds little whatever the backlog. Nothing is counted beside the lists: how much is
rung is what they hold.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from infrastructure.celery.keys import OWN_STEPS, STEPS_IN_TURN, list_of, service_of, step_of
from infrastructure.celery.message import MAX_JOBS_IN_A_DOORBELL, JobRef, Lot, messages_in_turn, messages_of
from infrastructure.celery.pace import Service, heard
from infrastructure.redis.client import Redis
from infrastructure.redis.clock import RedisClock
from infrastructure.redis.connection import Command, RedisConnection
from infrastructure.redis.pubsub import Channel, announce_words

SHORT = 8
"""Bells. Into a list that holds fewer whoever submits rings at once; into a longer one bells go by turns."""
AHEAD_SECONDS = 0.2
"""So much work may be rung for beyond what can begin at once."""
KNOWN_SECONDS = 0.1
"""How long a list's length that Redis told is believed."""
LONG_SECONDS = 0.005
"""The same of one that is long, before more wait for a turn because of it."""
SERVICE_KNOWN_SECONDS = 1.0
UNKNOWN_SIZE = 25
"""Jobs in a bell while no worker has said how fast it is."""

Turn = tuple[str, int, UUID]
"""Who waits in line at a queue: its name, the step, and whose jobs of that step they are."""


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
        self._line = RedisConnection(redis)
        self._clock = RedisClock(redis)
        self._lengths: dict[tuple[str, int], tuple[int, float]] = {}
        self._services: dict[str, tuple[Service | None, float]] = {}

    async def ring(self, rings: Iterable[JobRef], *, traceparent: str | None = None, short: int = SHORT) -> Rung:
        """Rings for as many as find their list short, which it is with fewer bells than that; of the others a dispatcher is
        told, who rings for them in turn."""
        rings = list(rings)
        await self._ask({(ring.queue, step_of(ring.priority)) for ring in rings}, many=len(rings) > SHORT)
        within, beyond = self._admit(rings, short)
        bells, behind = await self._push(within, traceparent)
        if waiting := behind | set(map(_turn_of, beyond)):
            await self._tell_waiting(waiting)
        return Rung(bells, len(beyond))

    async def ring_ahead(self, rings: Sequence[JobRef]) -> int:
        """How many bells were pushed for these few jobs, which are being committed."""
        bells, behind = await self._push(rings, ahead=True)
        if behind:
            await self._tell_waiting(behind)
        return bells

    def have_room_for(self, rings: Sequence[JobRef]) -> bool:
        """Whether all of these find their lists short, as far as is known. Nothing is said to anybody."""
        return not self._admit(rings)[1]

    async def ring_in_turn(self, queue: str, lots: Mapping[int, Sequence[Lot]], *, most: int) -> int:
        """How many bells were pushed for lots whose turn it is, by the step of the list they go into; at most so many jobs
        in each."""
        at = await self._clock.now()
        messages = {
            list_of(queue, step): messages_in_turn(queue, step, some, most=most, at=at) for step, some in lots.items()
        }
        if pushes := _pushes("LPUSH", messages):
            await self._line.ask(*pushes)
        return sum(map(len, messages.values()))

    async def give_back(self, rings: Sequence[JobRef], *, bell_jobs: int, last: bool = False) -> None:
        """Puts jobs that a worker was rung for and hasn't begun back to the front of their queue, or behind all others, in
        bells of at most so many. They are rung as before, so nothing is counted."""
        at = await self._clock.now()
        shares = [messages_of(rings[start : start + bell_jobs], at=at) for start in range(0, len(rings), bell_jobs)]
        if not last:
            shares.reverse()  # What is pushed to the front last comes first.
        pushes: dict[str, list[bytes]] = defaultdict(list)
        for share in shares:
            for name, messages in share.items():
                pushes[name] += messages
        if pushes:
            await self._line.ask(*_pushes("LPUSH" if last else "RPUSH", pushes))

    # What the lists hold

    async def lengths(self, queues: Sequence[str]) -> dict[str, dict[int, int]]:
        """How many bells each queue's lists hold, by step."""
        replies = iter(
            await self._line.ask(*(("LLEN", list_of(queue, step)) for queue in queues for step in STEPS_IN_TURN))
        )
        return {queue: {step: int(next(replies)) for step in STEPS_IN_TURN} for queue in queues}

    async def service(self, queue: str) -> Service:
        """What its workers say now."""
        (words,) = await self._line.ask(("HVALS", service_of(queue)))
        return heard(words, await self._clock.now())

    async def oldest_seconds(self, queue: str, steps: Sequence[int]) -> float:
        """For how long the bell has stood that is next in its list, of the list where that is longest."""
        replies = await self._line.ask(*(("LINDEX", list_of(queue, step), -1) for step in steps))
        now = await self._clock.now()
        return max((age_of(bell, now) for bell in replies if bell is not None), default=0.0)

    async def trim(self, queue: str, bells: int) -> None:
        """Leaves so many bells in each list that whoever submits rings into, the oldest. The jobs of the others wait for
        their turn."""
        await self._line.ask(*(("LTRIM", list_of(queue, step), -bells, -1) for step in OWN_STEPS))

    # Details

    async def _push(
        self, rings: Sequence[JobRef], traceparent: str | None = None, *, ahead: bool = False
    ) -> tuple[int, set[Turn]]:
        """How many bells were pushed, and whose were pushed into a long list."""
        if not rings:
            return 0, set()
        lines: dict[tuple[str, int], list[JobRef]] = defaultdict(list)
        for ring in rings:
            lines[ring.queue, step_of(ring.priority)].append(ring)
        messages: dict[str, list[bytes]] = {}
        at = await self._clock.now()
        for (queue, _), waiting in lines.items():
            messages |= messages_of(waiting, traceparent, ahead=ahead, most=self._size(queue), at=at)
        now = time.monotonic()
        stale = [queue for queue in {queue for queue, _ in lines} if not self._knows_service(queue, now)]
        replies = await self._line.ask(*_pushes("LPUSH", messages), *(("HVALS", service_of(queue)) for queue in stale))
        self._learn(list(lines), replies, stale, now, at)
        long = {line for line, length in zip(lines, replies, strict=False) if length > SHORT}
        bells = sum(map(len, messages.values()))
        return bells, {_turn_of(ring) for line in long for ring in lines[line]}

    async def _ask(self, lines: set[tuple[str, int]], *, many: bool) -> None:
        """Learns what isn't known of these: for few jobs only whether a list that was long still is, so that a lone job never
        waits for an answer where there is no line."""
        now = time.monotonic()
        asked = [line for line in lines if self._is_doubtful(line, now, many=many)]
        stale = [queue for queue in {queue for queue, _ in lines} if many and not self._knows_service(queue, now)]
        if asked or stale:
            replies = await self._line.ask(
                *(("LLEN", list_of(*line)) for line in asked), *(("HVALS", service_of(queue)) for queue in stale)
            )
            self._learn(asked, replies, stale, now, await self._clock.now())

    def _is_doubtful(self, line: tuple[str, int], now: float, *, many: bool) -> bool:
        length, told_at = self._lengths.get(line, (0, 0.0))
        if now - told_at > KNOWN_SECONDS:
            return many
        return length >= SHORT and now - told_at > LONG_SECONDS

    def _learn(
        self,
        lines: Sequence[tuple[str, int]],
        replies: Sequence[int | list[bytes]],
        queues: Sequence[str],
        now: float,
        by_redis: float,
    ) -> None:
        for line, length in zip(lines, replies, strict=False):
            if isinstance(length, int):
                self._lengths[line] = (length, now)
        for queue, words in zip(queues, replies[len(lines) :], strict=True):
            if isinstance(words, list):
                self._services[queue] = (heard(words, by_redis) if words else None, now)

    def _knows_service(self, queue: str, now: float) -> bool:
        return now - self._services.get(queue, (None, 0.0))[1] <= SERVICE_KNOWN_SECONDS

    def _admit(self, rings: Iterable[JobRef], short: int = SHORT) -> tuple[list[JobRef], list[JobRef]]:
        """Those that may be rung now, and the others."""
        room: dict[tuple[str, int], int] = {}
        within: list[JobRef] = []
        beyond: list[JobRef] = []
        for ring in rings:
            line = ring.queue, step_of(ring.priority)
            if (left := room.get(line)) is None:
                left = self._room_in(line, short)
            room[line] = left - 1
            (within if left > 0 else beyond).append(ring)
        return within, beyond

    def _room_in(self, line: tuple[str, int], short: int) -> int:
        """For how many jobs more whoever submits may ring into a list."""
        length, told_at = self._lengths.get(line, (0, 0.0))
        if time.monotonic() - told_at > KNOWN_SECONDS:
            length = 0
        return max(short - length, 0) * self._size(line[0])

    def _size(self, queue: str) -> int:
        """How many jobs a bell may name, so that SHORT of them are no more than is begun soon."""
        service, _ = self._services.get(queue, (None, 0.0))
        if service is None:
            return UNKNOWN_SIZE
        return min(max(service.jobs_within(AHEAD_SECONDS) // SHORT, 1), MAX_JOBS_IN_A_DOORBELL)

    async def _tell_waiting(self, turns: Iterable[Turn]) -> None:
        await announce_words(self._redis, Channel.OVERFLOW, waiting_in_words(turns))


def waiting_in_words(turns: Iterable[Turn]) -> bytes:
    """As a dispatcher is told who waits for a turn."""
    return "\n".join(f"{queue} {step} {tenant_id}" for queue, step, tenant_id in turns).encode()


def waiting_in(words: bytes) -> list[Turn]:
    """Who waits for a turn, as a dispatcher was told. ValueError when nobody can tell."""
    turns = [line.split() for line in words.decode().splitlines()]
    return [(queue, int(step), UUID(tenant_id)) for queue, step, tenant_id in turns]


def age_of(bell: bytes, now: float) -> float:
    """For how many seconds it has been rung: its id is a UUIDv7, which begins with the time in milliseconds."""
    try:
        return max(now - (UUID(orjson.loads(bell)["headers"]["id"]).int >> 80) / 1_000, 0.0)
    except (ValueError, LookupError, TypeError):
        return 0.0


def _pushes(name: str, messages: Mapping[str, Sequence[bytes]]) -> list[Command]:
    return [[name, key, *bells] for key, bells in messages.items() if bells]


def _turn_of(ring: JobRef) -> Turn:
    return ring.queue, step_of(ring.priority), ring.tenant_id
