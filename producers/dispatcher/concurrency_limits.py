"""Admits capped jobs when their concurrency key has a free slot: on a message that one came or ended, and at each sweep.

Submitters and workers only name job ids. Admission is decided here, so that one statement serves many of them.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from infrastructure.concurrency.loops import Loop
from infrastructure.postgres.jobs import concurrency
from infrastructure.postgres.jobs.concurrency import BEFORE_ALL, MAX_KEYS, Capped
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE, Unclaimed
from infrastructure.postgres.session import PostgresSession
from infrastructure.redis.client import Redis
from infrastructure.redis.pubsub import Channel, Subscription, ids_in

MAX_PENDING = 20_000
"""Job ids kept while PostgreSQL is slow; the sweep finds the keys of the rest."""
MAX_ROUNDS = 20
"""Full batches admitted for one set of keys before the next is looked at."""


class ConcurrencyLimits:
    """One per dispatcher. Any number of dispatchers may admit jobs at the same time."""

    def __init__(
        self,
        redis: Redis,
        session: PostgresSession,
        ring: Callable[[Sequence[Unclaimed]], Awaitable[int]],
        *,
        ring_again_seconds: float,
    ) -> None:
        self._redis = redis
        self._session = session
        self._ring = ring
        self._ring_again_seconds = ring_again_seconds
        self._pending: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._cursor = BEFORE_ALL

    def check_soon(self, job_ids: Iterable[UUID]) -> None:
        """Checks the keys of these jobs soon: they were submitted capped, or have ended and freed a slot."""
        if len(self._pending) < MAX_PENDING:
            self._pending.update(dict.fromkeys(job_ids))
        self._wake.set()

    @property
    def loops(self) -> tuple[Loop, ...]:
        channel = Subscription(self._redis, self._on_message, Channel.ADMISSION)
        return (
            Loop("admission", math.inf, self.admit_pending, wake=self._wake),
            Loop("admission channel", 0.0, channel.read),
        )

    async def admit_pending(self) -> None:
        """Checks the keys of the jobs that were named since the last call. What it drops when it fails, the sweep finds."""
        pending = list(self._pending)
        self._pending.clear()
        for start in range(0, len(pending), MAX_AT_ONCE):
            await self._admit_for(pending[start : start + MAX_AT_ONCE])

    def _on_message(self, received: tuple[Channel, bytes] | None) -> None:
        if received is not None:
            self.check_soon(ids_in(received[1]))

    async def sweep(self) -> None:
        """Checks the next page of keys that have capped jobs, in rotation, whether or not a message named them."""
        cursor = self._cursor
        keys = await self._session.run(lambda connection: concurrency.keys_after(connection, cursor))
        self._cursor = keys[-1] if len(keys) == MAX_KEYS else BEFORE_ALL
        await self._admit(keys)

    async def _admit_for(self, job_ids: Sequence[UUID]) -> None:
        await self._admit(await self._session.run(lambda connection: concurrency.keys_of(connection, job_ids)))

    async def _admit(self, keys: Sequence[Capped]) -> None:
        if not keys:
            return
        seconds = self._ring_again_seconds
        for _ in range(MAX_ROUNDS):
            admitted = await self._session.run(
                lambda connection: concurrency.admit(connection, keys, ring_again_seconds=seconds)
            )
            await self._ring(admitted)
            if len(admitted) < MAX_AT_ONCE:
                return
