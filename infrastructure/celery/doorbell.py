"""Pushes doorbells into the queues' Redis lists while the lists are short.

Jobs that find their list long stay in PostgreSQL, and a dispatcher publishes their doorbells in turn
(producers/dispatcher/fair_scheduler.py). So one tenant's backlog delays no other tenant, and Redis holds little however
large the backlog is. The lists' lengths are the only count of what has been published.
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
"""Doorbells. A submitter pushes into a list that holds fewer at once; a longer list is filled by the fair scheduler."""
AHEAD_SECONDS = 0.2
"""How much work doorbells may announce beyond what workers can start at once."""
KNOWN_SECONDS = 0.1
"""How long a list's length is cached."""
LONG_SECONDS = 0.005
"""How long the length of a long list is cached, before it makes more jobs wait for their turn."""
SERVICE_KNOWN_SECONDS = 1.0
UNKNOWN_SIZE = 25
"""Jobs in a doorbell while no worker has reported its rate."""

Turn = tuple[str, int, UUID]
"""A tenant with jobs waiting for the fair scheduler: queue, priority step, tenant."""

QueueList = tuple[str, int]
"""One Redis list of a queue: queue, priority step."""


@dataclass(frozen=True, slots=True)
class Rung:
    """What `Doorbells.ring` did: doorbells pushed, and jobs left to the fair scheduler."""

    bells: int
    withheld: int


class Doorbells:
    """Publishes doorbells; one per process.

    Every method raises one of the client's FAULTS when Redis refuses or can't be reached. Repeating a call is safe, and
    so is leaving it to the sweeper."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._connection = RedisConnection(redis)
        self._clock = RedisClock(redis)
        self._lengths: dict[QueueList, tuple[int, float]] = {}
        self._services: dict[str, tuple[Service | None, float]] = {}

    async def ring(self, refs: Iterable[JobRef], *, traceparent: str | None = None, short: int = SHORT) -> Rung:
        """Pushes doorbells for the jobs whose list holds fewer than `short`, and notifies a dispatcher of the others,
        which it schedules in turn."""
        refs = list(refs)
        await self._ask({(ref.queue, step_of(ref.priority)) for ref in refs}, many=len(refs) > SHORT)
        within, beyond = self._admit(refs, short)
        pushed, behind = await self._push(within, traceparent)
        if waiting := behind | set(map(_turn_of, beyond)):
            await self._notify_dispatchers(waiting)
        return Rung(pushed, len(beyond))

    async def ring_ahead(self, refs: Sequence[JobRef]) -> int:
        """Pushes doorbells for a few jobs whose commit is still under way, and returns how many doorbells."""
        pushed, behind = await self._push(refs, ahead=True)
        if behind:
            await self._notify_dispatchers(behind)
        return pushed

    def have_room_for(self, refs: Sequence[JobRef]) -> bool:
        """Whether the lists of all these jobs are short, by the cached lengths. Sends nothing."""
        return not self._admit(refs)[1]

    async def ring_in_turn(self, queue: str, lots: Mapping[int, Sequence[Lot]], *, limit: int) -> int:
        """Pushes doorbells of at most `limit` jobs for lots whose turn it is, by the priority step of their list, and
        returns how many doorbells."""
        at = await self._clock.now()
        messages = {
            list_of(queue, step): messages_in_turn(queue, step, some, limit=limit, at=at) for step, some in lots.items()
        }
        if pushes := _pushes("LPUSH", messages):
            await self._connection.ask(*pushes)
        return sum(map(len, messages.values()))

    async def give_back(self, refs: Sequence[JobRef], *, bell_jobs: int, last: bool = False) -> None:
        """Returns jobs that a worker received and hasn't started to the front of their queue, or with `last` to its
        end, in doorbells of at most `bell_jobs`. They aren't counted as published again."""
        at = await self._clock.now()
        shares = [messages_of(refs[start : start + bell_jobs], at=at) for start in range(0, len(refs), bell_jobs)]
        if not last:
            shares.reverse()  # What is pushed to the front last comes first.
        pushes: dict[str, list[bytes]] = defaultdict(list)
        for share in shares:
            for name, messages in share.items():
                pushes[name] += messages
        if pushes:
            await self._connection.ask(*_pushes("LPUSH" if last else "RPUSH", pushes))

    # What the lists hold

    async def lengths(self, queues: Sequence[str]) -> dict[str, dict[int, int]]:
        """How many doorbells each queue's lists hold, by priority step."""
        replies = iter(
            await self._connection.ask(*(("LLEN", list_of(queue, step)) for queue in queues for step in STEPS_IN_TURN))
        )
        return {queue: {step: int(next(replies)) for step in STEPS_IN_TURN} for queue in queues}

    async def service(self, queue: str) -> Service:
        """The queue's rate and free slots, summed over the workers that reported lately."""
        (reports,) = await self._connection.ask(("HVALS", service_of(queue)))
        return heard(reports, await self._clock.now())

    async def oldest_seconds(self, queue: str, steps: Sequence[int]) -> float:
        """The age of the oldest doorbell at the head of any of these lists; 0 when all are empty."""
        replies = await self._connection.ask(*(("LINDEX", list_of(queue, step), -1) for step in steps))
        now = await self._clock.now()
        return max((age_of(head, now) for head in replies if head is not None), default=0.0)

    async def trim(self, queue: str, bells: int) -> None:
        """Drops all but the oldest `bells` doorbells of each list that submitters push into. The jobs of the dropped
        ones stay in PostgreSQL and wait for their turn."""
        await self._connection.ask(*(("LTRIM", list_of(queue, step), -bells, -1) for step in OWN_STEPS))

    # Details

    async def _push(
        self, refs: Sequence[JobRef], traceparent: str | None = None, *, ahead: bool = False
    ) -> tuple[int, set[Turn]]:
        """How many doorbells were pushed, and the turns whose list is long now."""
        if not refs:
            return 0, set()
        by_list: dict[QueueList, list[JobRef]] = defaultdict(list)
        for ref in refs:
            by_list[ref.queue, step_of(ref.priority)].append(ref)
        messages: dict[str, list[bytes]] = {}
        # Never asked first: a lone job's doorbell goes out before its commit. Until Redis has told its time, the first
        # doorbells of a process carry this machine's.
        at = self._clock.estimate()
        for (queue, _), waiting in by_list.items():
            messages |= messages_of(waiting, traceparent, ahead=ahead, limit=self._size(queue), at=at)
        now = time.monotonic()
        stale = [queue for queue in {queue for queue, _ in by_list} if not self._knows_service(queue, now)]
        asks_the_time = self._clock.is_due
        replies = await self._connection.ask(
            *_pushes("LPUSH", messages),
            *(("HVALS", service_of(queue)) for queue in stale),
            *([("TIME",)] if asks_the_time else []),
        )
        if asks_the_time:
            self._clock.learn(replies.pop())
        self._learn(list(by_list), replies, stale, now, await self._clock.now())
        long = {key for key, length in zip(by_list, replies, strict=False) if length > SHORT}
        pushed = sum(map(len, messages.values()))
        return pushed, {_turn_of(ref) for key in long for ref in by_list[key]}

    async def _ask(self, lists: set[QueueList], *, many: bool) -> None:
        """Refreshes the cached lengths and rates. For few jobs only a list that was long is asked again, so that a
        single job never waits for a reply when its queue is empty."""
        now = time.monotonic()
        asked = [key for key in lists if self._is_stale(key, now, many=many)]
        stale = [queue for queue in {queue for queue, _ in lists} if many and not self._knows_service(queue, now)]
        if asked or stale:
            replies = await self._connection.ask(
                *(("LLEN", list_of(*key)) for key in asked), *(("HVALS", service_of(queue)) for queue in stale)
            )
            self._learn(asked, replies, stale, now, await self._clock.now())

    def _is_stale(self, key: QueueList, now: float, *, many: bool) -> bool:
        length, known_at = self._lengths.get(key, (0, 0.0))
        if now - known_at > KNOWN_SECONDS:
            return many
        return length >= SHORT and now - known_at > LONG_SECONDS

    def _learn(
        self,
        lists: Sequence[QueueList],
        replies: Sequence[int | list[bytes]],
        queues: Sequence[str],
        now: float,
        redis_now: float,
    ) -> None:
        for key, length in zip(lists, replies, strict=False):
            if isinstance(length, int):
                self._lengths[key] = (length, now)
        for queue, reports in zip(queues, replies[len(lists) :], strict=True):
            if isinstance(reports, list):
                self._services[queue] = (heard(reports, redis_now) if reports else None, now)

    def _knows_service(self, queue: str, now: float) -> bool:
        return now - self._services.get(queue, (None, 0.0))[1] <= SERVICE_KNOWN_SECONDS

    def _admit(self, refs: Iterable[JobRef], short: int = SHORT) -> tuple[list[JobRef], list[JobRef]]:
        """The jobs whose doorbells may be pushed now, and the others."""
        room: dict[QueueList, int] = {}
        within: list[JobRef] = []
        beyond: list[JobRef] = []
        for ref in refs:
            key = ref.queue, step_of(ref.priority)
            if (left := room.get(key)) is None:
                left = self._room_in(key, short)
            room[key] = left - 1
            (within if left > 0 else beyond).append(ref)
        return within, beyond

    def _room_in(self, key: QueueList, short: int) -> int:
        """How many more jobs submitters may push into a list."""
        length, known_at = self._lengths.get(key, (0, 0.0))
        if time.monotonic() - known_at > KNOWN_SECONDS:
            length = 0
        return max(short - length, 0) * self._size(key[0])

    def _size(self, queue: str) -> int:
        """How many jobs one doorbell may carry, so that SHORT doorbells hold no more than AHEAD_SECONDS of work."""
        service, _ = self._services.get(queue, (None, 0.0))
        if service is None:
            return UNKNOWN_SIZE
        return min(max(service.jobs_within(AHEAD_SECONDS) // SHORT, 1), MAX_JOBS_IN_A_DOORBELL)

    async def _notify_dispatchers(self, turns: Iterable[Turn]) -> None:
        await announce_words(self._redis, Channel.OVERFLOW, waiting_in_words(turns))


def waiting_in_words(turns: Iterable[Turn]) -> bytes:
    """Encodes turns for Channel.OVERFLOW."""
    return "\n".join(f"{queue} {step} {tenant_id}" for queue, step, tenant_id in turns).encode()


def waiting_in(payload: bytes) -> list[Turn]:
    """Decodes a message of Channel.OVERFLOW. ValueError when it is malformed."""
    turns = [line.split() for line in payload.decode().splitlines()]
    return [(queue, int(step), UUID(tenant_id)) for queue, step, tenant_id in turns]


def age_of(doorbell: bytes, now: float) -> float:
    """Seconds since the doorbell was pushed, by the time in its UUIDv7; 0 when it can't be read."""
    try:
        return max(now - (UUID(orjson.loads(doorbell)["headers"]["id"]).int >> 80) / 1_000, 0.0)
    except (ValueError, LookupError, TypeError):
        return 0.0


def _pushes(name: str, messages: Mapping[str, Sequence[bytes]]) -> list[Command]:
    return [[name, key, *some] for key, some in messages.items() if some]


def _turn_of(ref: JobRef) -> Turn:
    return ref.queue, step_of(ref.priority), ref.tenant_id
