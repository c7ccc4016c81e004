"""PostgreSQL's clock, read now and then and extrapolated in between.

Machines' clocks differ, and one may be set wrong. So times that several machines compare (when a job is due, when a
token expires) come from the clock they share; a machine's own only measures the time since the last reading.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from infrastructure.concurrency.loops import Loop
from infrastructure.ports import Unavailable
from infrastructure.postgres.session import PostgresSession

logger = logging.getLogger(__name__)

SKEW_SECONDS = 1.0
"""`now` is within this of PostgreSQL's clock once it was asked, and nearly always within milliseconds."""
ASKED_EVERY_SECONDS = 10.0
"""A clock that was set, or a machine that slept, is corrected after at most this."""
FIRST_ANSWER_SECONDS = 2.0
WORTH_LOGGING_SECONDS = 5.0


class SharedClock:
    """PostgreSQL's time; one instance per process, kept by its `loop`. Until the first reading it is the machine's own
    time."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session
        self._reading, self._read_at = datetime.now(UTC), time.monotonic()
        self._asked_once = False

    def now(self) -> datetime:
        return self._reading + timedelta(seconds=time.monotonic() - self._read_at)

    async def ask(self) -> None:
        """Reads PostgreSQL's clock. A reply that took too long is ignored, since its age is unknown. Raises
        Unavailable."""
        asked_at = time.monotonic()
        reading = await self._session.run(_ask)
        took = time.monotonic() - asked_at
        if took > 2 * SKEW_SECONDS:
            return
        self._reading, self._read_at = reading, asked_at + took / 2
        if not self._asked_once:
            self._asked_once = True
            ahead = (datetime.now(UTC) - self.now()).total_seconds()
            if abs(ahead) > WORTH_LOGGING_SECONDS:
                logger.warning(
                    "this machine's clock is %+.0f s off PostgreSQL's, whose time is taken: set it right", ahead
                )

    async def start(self) -> None:
        """Returns after the first reading, or after FIRST_ANSWER_SECONDS without one."""
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                await self.ask()
        except (TimeoutError, Unavailable):
            logger.warning("could not read PostgreSQL's clock yet; using this machine's until then")

    async def keep(self) -> float:
        """Reads the clock again. Returns the seconds after which to do so the next time. Raises Unavailable."""
        await self.ask()
        return ASKED_EVERY_SECONDS if self._asked_once else SKEW_SECONDS

    @property
    def loop(self) -> Loop:
        return Loop("clock", ASKED_EVERY_SECONDS, self.keep)


async def _ask(connection: psycopg.AsyncConnection[Any]) -> datetime:
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    reading: datetime = row[0]
    return reading
