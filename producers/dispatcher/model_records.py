"""Keeps the records of model calls in order: ends the attempts whose process died, and deletes what is old."""

import logging
import time
from functools import partial

from infrastructure.concurrency.loops import Loop
from infrastructure.postgres.ai.lost import end_lost
from infrastructure.postgres.ai.retention import (
    MAX_AT_ONCE,
    forget_attempts,
    forget_budget_alerts,
    forget_orphaned_sections,
    forget_unused_answers,
)
from infrastructure.postgres.session import PostgresSession
from infrastructure.settings import Settings

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 5.0
FORGET_EVERY_SECONDS = 60.0
BUSY_SECONDS = 0.5
"""The largest part of each period that is spent on deletion: the rest is left to calls."""


class ModelRecordKeeper:
    def __init__(self, settings: Settings, session: PostgresSession) -> None:
        self._ledger_days = settings.ai_ledger_days
        self._session = session
        self._forgot_at = float("-inf")

    @property
    def loop(self) -> Loop:
        return Loop("model records", PERIOD_SECONDS, self.tidy)

    async def tidy(self) -> None:
        """Safe to repeat, and in any number of dispatchers."""
        if lost := await self._session.run(end_lost):
            logger.warning("%d calls of models were lost with their process: what they cost is unknown", lost)
        began = time.monotonic()
        if began - self._forgot_at < FORGET_EVERY_SECONDS:
            return
        while time.monotonic() - began < BUSY_SECONDS:
            if await self._forget() < MAX_AT_ONCE:
                self._forgot_at = began
                return

    async def _forget(self) -> int:
        """Up to MAX_AT_ONCE of each."""
        old = await self._session.run(partial(forget_attempts, days=self._ledger_days))
        orphaned = await self._session.run(forget_orphaned_sections)
        unused = await self._session.run(forget_unused_answers)
        reported = await self._session.run(forget_budget_alerts)
        return max(old, orphaned, unused, reported)
