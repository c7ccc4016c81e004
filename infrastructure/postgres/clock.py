"""PostgreSQL's time, for a process that needs it more often than it wants to ask.

Machines' clocks differ, and somebody may have set one wrong. So what several of them compare (when a job is due, when a
token ends) is told by the one clock they share; a machine's own only measures how long ago it was told.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from infrastructure.ports import Unavailable
from infrastructure.postgres.session import PostgresSession

logger = logging.getLogger(__name__)

SKEW_SECONDS = 1.0
"""`now` is within this of PostgreSQL's clock once it was asked, and nearly always within milliseconds."""
ASKED_EVERY_SECONDS = 10.0
"""A clock that somebody sets, or a machine that slept, is caught up with in this time."""
FIRST_ANSWER_SECONDS = 2.0
WORTH_TELLING_SECONDS = 5.0


class SharedClock:
    """One for a process. Until PostgreSQL has answered once it is the machine's own."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session
        self._told, self._told_at = datetime.now(UTC), time.monotonic()
        self._asked_once = False

    def now(self) -> datetime:
        return self._told + timedelta(seconds=time.monotonic() - self._told_at)

    async def ask(self) -> None:
        """Raises Unavailable. An answer that was too long on its way is thrown away, for nobody knows how old it is."""
        asked_at = time.monotonic()
        told = await self._session.run(_ask)
        took = time.monotonic() - asked_at
        if took > 2 * SKEW_SECONDS:
            return
        self._told, self._told_at = told, asked_at + took / 2
        if not self._asked_once:
            self._asked_once = True
            ahead = (datetime.now(UTC) - self.now()).total_seconds()
            if abs(ahead) > WORTH_TELLING_SECONDS:
                logger.warning(
                    "this machine's clock is %+.0f s off PostgreSQL's, whose time is taken: set it right", ahead
                )

    async def start(self) -> None:
        """Returns when PostgreSQL has told its time, or doesn't soon."""
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                await self.ask()
        except (TimeoutError, Unavailable):
            logger.warning("PostgreSQL doesn't tell its time yet: this machine's own is taken until it does")

    async def run_for_ever(self) -> None:
        while True:
            await asyncio.sleep(ASKED_EVERY_SECONDS if self._asked_once else SKEW_SECONDS)
            try:
                await self.ask()
            except Unavailable:
                logger.debug("PostgreSQL doesn't tell its time; what it told last goes on")
            except Exception:  # The loop's edge: one question that fails must not be the last.
                logger.exception("PostgreSQL's time couldn't be asked for; it is tried again")


@asynccontextmanager
async def shared_clock(session: PostgresSession) -> AsyncIterator[SharedClock]:
    """Set, and kept right while the block runs."""
    clock = SharedClock(session)
    await clock.start()
    keeping = asyncio.create_task(clock.run_for_ever(), name="clock")
    try:
        yield clock
    finally:
        keeping.cancel()


async def _ask(connection: psycopg.AsyncConnection[Any]) -> datetime:
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    told: datetime = row[0]
    return told
