"""Repeats a statement until PostgreSQL is back. Only for work that is safe to repeat, as a worker's claims and settles are."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from infrastructure.concurrency.loops import made_progress
from infrastructure.ports import Unavailable
from infrastructure.postgres.session import Connection, PostgresSession
from monitoring.metrics import bus as metrics

T = TypeVar("T")

OUTAGE_SECONDS = 0.5
"""The delay between two tries while PostgreSQL is away."""


async def retry_until_available(session: PostgresSession, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    """The work's result, however long PostgreSQL stays away. Cancel it to give up."""
    while True:
        try:
            return await session.run(work)
        except Unavailable:
            metrics.connection_lost(metrics.Server.POSTGRES)
            made_progress()
            await asyncio.sleep(OUTAGE_SECONDS)
