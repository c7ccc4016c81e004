"""Removes what has been kept long enough, beside the dispatcher's sweeps and never for long at a time."""

import logging
import time
from collections.abc import Mapping

from infrastructure.postgres import retention
from infrastructure.postgres.connections import Line
from infrastructure.postgres.retention import SHORTEST, KeptFor, Retention
from infrastructure.settings import Settings
from monitoring import metrics
from schemas.catalogue import COMMANDS
from schemas.commands import Command

logger = logging.getLogger(__name__)

BUSY_SECONDS = 0.25
"""Of each sweep, at the most: the rest of its second belongs to jobs that wait."""
HOUR_SECONDS = 3_600.0


class Housekeeping:
    """One stretch after another, from where the last dispatcher stopped."""

    def __init__(self, settings: Settings, line: Line) -> None:
        self._retention = retention_of(settings, COMMANDS)
        self._line = line
        self._most = SHORTEST

    async def tidy(self) -> None:
        """Up to BUSY_SECONDS of removing. Safe to repeat, and in any number of dispatchers."""
        began = time.monotonic()
        while time.monotonic() - began < BUSY_SECONDS and await self._remove_old():
            pass

    async def _remove_old(self) -> bool:
        began = time.monotonic()
        most = self._most
        removed = await self._line.run(lambda line: retention.remove_old(line, self._retention, most=most))
        if removed is None:
            return False
        self._most = retention.next_stretch(most, time.monotonic() - began)
        metrics.jobs_removed(removed.jobs)
        if removed.jobs or removed.results:
            logger.debug("removed %d jobs and %d results", removed.jobs, removed.results)
        return removed.more


def retention_of(settings: Settings, commands: Mapping[str, type[Command]]) -> Retention:
    """How long each kind stays: as its command says, or else as the settings do."""
    return Retention(
        usual=_kept_for("", settings, Command),
        kinds=tuple(_kept_for(kind, settings, command) for kind, command in commands.items()),
    )


def _kept_for(kind: str, settings: Settings, command: type[Command]) -> KeptFor:
    # A key that outlived its job would answer a repeated request with a job that isn't there.
    hours = max(command.retention_hours or settings.retention_hours, settings.idempotency_hours)
    return KeptFor(
        kind=kind,
        seconds=hours * HOUR_SECONDS,
        failed_seconds=max(hours, settings.dead_retention_hours) * HOUR_SECONDS,
        result_seconds=command.result_ttl_seconds,
    )
