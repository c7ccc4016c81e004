"""Admits capped jobs when their concurrency key has a free slot: on a message that one came or ended, and at each sweep.

Submitters and workers only name job ids. Admission is decided here, so that one statement serves many of them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import concurrency
from infrastructure.postgres.jobs.concurrency import BEFORE_ALL, MAX_KEYS, Capped
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE, Unclaimed
from infrastructure.postgres.session import PostgresSession
from infrastructure.redis.client import Redis
from infrastructure.redis.pubsub import Channel, ids_in, listen

logger = logging.getLogger(__name__)

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

    async def listen_for_ever(self) -> None:
        async for received in listen(self._redis, Channel.ADMISSION):
            if received is not None:
                self.check_soon(ids_in(received[1]))

    async def serve_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending = list(self._pending)
            self._pending.clear()
            try:
                for start in range(0, len(pending), MAX_AT_ONCE):
                    await self._admit_for(pending[start : start + MAX_AT_ONCE])
            except Unavailable:
                logger.warning("admission failed: PostgreSQL can't be reached; trying again at the next sweep")
            except Exception:  # The loop's edge: the sweep looks at the same keys again.
                logger.exception("admission failed; trying again at the next sweep")

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
