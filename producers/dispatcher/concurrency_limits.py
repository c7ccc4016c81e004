"""Lets capped jobs in as soon as there is room: when told that one came or ended, and by a look around at each sweep.

Submitters and workers only say which jobs; who may go is decided here, where many of them are answered by one statement.
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

MAX_NEWS = 20_000
"""Job ids remembered while PostgreSQL is slow; the sweep finds what exceeds it."""
MAX_ROUNDS = 20
"""Full batches that are let in for one call before others are heard."""


class ConcurrencyLimits:
    """One for each dispatcher; any number of them may let jobs in at once."""

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
        self._news: dict[UUID, None] = {}
        self._called = asyncio.Event()
        self._swept = BEFORE_ALL

    def call(self, job_ids: Iterable[UUID]) -> None:
        """These were submitted under a cap, or have ended: there may be room."""
        if len(self._news) < MAX_NEWS:
            self._news.update(dict.fromkeys(job_ids))
        self._called.set()

    async def listen_for_ever(self) -> None:
        async for heard in listen(self._redis, Channel.ADMISSION):
            if heard is not None:
                self.call(ids_in(heard[1]))

    async def serve_for_ever(self) -> None:
        while True:
            await self._called.wait()
            self._called.clear()
            news = list(self._news)
            self._news.clear()
            try:
                for start in range(0, len(news), MAX_AT_ONCE):
                    await self._answer(news[start : start + MAX_AT_ONCE])
            except Unavailable:
                logger.warning("no capped job is let in: PostgreSQL can't be reached")
            except Exception:  # The loop's edge: the sweep looks at the same keys again.
                logger.exception("letting capped jobs in failed; the sweep tries again")

    async def sweep(self) -> None:
        """Looks at the next keys that have jobs waiting, whoever told of them or didn't: round and round."""
        place = self._swept
        keys = await self._session.run(lambda connection: concurrency.keys_after(connection, place))
        self._swept = keys[-1] if len(keys) == MAX_KEYS else BEFORE_ALL
        await self._let_in(keys)

    async def _answer(self, job_ids: Sequence[UUID]) -> None:
        await self._let_in(await self._session.run(lambda connection: concurrency.keys_of(connection, job_ids)))

    async def _let_in(self, keys: Sequence[Capped]) -> None:
        if not keys:
            return
        seconds = self._ring_again_seconds
        for _ in range(MAX_ROUNDS):
            bells = await self._session.run(
                lambda connection: concurrency.admit(connection, keys, ring_again_seconds=seconds)
            )
            await self._ring(bells)
            if len(bells) < MAX_AT_ONCE:
                return
