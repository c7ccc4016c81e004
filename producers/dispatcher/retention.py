"""Removes expired jobs, results and objects, over a session of its own so that no sweep waits for it."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from infrastructure.concurrency.loops import Loop
from infrastructure.object_store.places import document_object, job_of
from infrastructure.ports.objects import ObjectStore
from infrastructure.postgres.documents import objects as document_objects
from infrastructure.postgres.jobs import retention, stored_results
from infrastructure.postgres.jobs.retention import SHORTEST, KeptFor, Retention
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.settings import Settings
from monitoring.metrics import bus as metrics
from schemas.catalogue import COMMANDS
from schemas.commands import Command

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
BUSY_SECONDS = 0.25
"""The largest part of each second spent on removal: the rest is left to jobs."""
HOUR_SECONDS = 3_600.0
ORPHAN_HOURS = 24.0
"""An object without an owner is an orphan this long after the longest upload: no worker tries to settle for so long, and no
request to accept what it has stored."""
MAX_LISTED = 500


class RetentionRunner:
    """Removes one time range after another, from where the last dispatcher stopped."""

    def __init__(self, settings: Settings, session: PostgresSession, objects: ObjectStore) -> None:
        self._retention = retention_of(settings, COMMANDS)
        self._session = session
        self._objects = objects
        self._orphan_after = timedelta(hours=ORPHAN_HOURS, seconds=settings.upload_seconds)
        self._stretch = SHORTEST

    @property
    def loop(self) -> Loop:
        return Loop("retention", PERIOD_SECONDS, self.tidy)

    async def tidy(self) -> None:
        """Removes for up to BUSY_SECONDS. Safe to repeat, and in any number of dispatchers."""
        began = time.monotonic()
        while time.monotonic() - began < BUSY_SECONDS and await self._remove_old():
            pass
        await self._remove_orphans()

    async def _remove_old(self) -> bool:
        began = time.monotonic()
        stretch = self._stretch
        removed = await self._session.run(
            lambda connection: retention.remove_old(connection, self._retention, limit=stretch)
        )
        if removed is None:
            return False
        self._stretch = retention.next_stretch(stretch, time.monotonic() - began)
        metrics.jobs_removed(removed.jobs)
        await self._objects.delete(removed.objects)
        if removed.jobs or removed.results:
            logger.debug("removed %d jobs and %d results", removed.jobs, removed.results)
        return removed.more

    async def _remove_orphans(self) -> None:
        """Deletes objects whose settlement or upload had no effect, and those whose owner was removed while the store was
        away."""
        turn = await self._session.run(stored_results.take_turn)
        if turn is None:
            return
        cursor, now = turn
        listed = await self._objects.list_after(cursor, MAX_LISTED)
        owned_by_now = now - self._orphan_after
        orphans = await self._orphans_among([one.key for one in listed if one.written_at < owned_by_now])
        await self._objects.delete(orphans)
        if orphans:
            logger.info("removed %d orphaned objects", len(orphans))
        next_cursor = listed[-1].key if len(listed) == MAX_LISTED else ""
        await self._session.run(lambda connection: stored_results.move_on(connection, next_cursor))

    async def _orphans_among(self, places: Sequence[str]) -> list[str]:
        """Those without an owner. What is neither a result's nor a document's isn't ours, and stays."""
        results = [(place, job_id) for place in places if (job_id := job_of(place)) is not None]
        documents = [found for place in places if (found := document_object(place)) is not None]

        async def ask(connection: Connection) -> list[str]:
            return [
                *(await stored_results.orphans(connection, results) if results else ()),
                *(await document_objects.orphans(connection, documents) if documents else ()),
            ]

        return await self._session.run(ask) if results or documents else []


def retention_of(settings: Settings, commands: Mapping[str, type[Command]]) -> Retention:
    """How long jobs of each kind are kept: by the command, or else by the settings."""
    return Retention(
        usual=_kept_for("", settings, Command),
        kinds=tuple(_kept_for(kind, settings, command) for kind, command in commands.items()),
    )


def _kept_for(kind: str, settings: Settings, command: type[Command]) -> KeptFor:
    # An idempotency key must not outlive its job: a repeated request would be answered with a job that is gone.
    hours = max(command.retention_hours or settings.retention_hours, settings.idempotency_hours)
    return KeptFor(
        kind=kind,
        seconds=hours * HOUR_SECONDS,
        failed_seconds=max(hours, settings.dead_retention_hours) * HOUR_SECONDS,
        result_seconds=command.result_ttl_seconds,
    )
