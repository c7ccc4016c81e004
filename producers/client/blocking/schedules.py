# Generated from asynchronous/schedules.py by `python -m producers.packaging`: edit that one.
"""Schedules: commands that are handed in again and again."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from producers.client.blocking.ports import Caller
from producers.client.requests import Id, delete, get, keyed_post, path, post, put
from schemas.jobs import Job
from schemas.schedules import Schedule, ScheduleDefinition, SchedulePage, ScheduleSummary, Upcoming

PAGE: Final = 100


class Schedules:
    """Your schedules. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self) -> Iterator[ScheduleSummary]:
        """All of them without their commands, the newest first, fetched a page at a time."""
        cursor: str | None = None
        while True:
            page = self._client.ask(SchedulePage, get(path("schedules"), {"limit": PAGE, "cursor": cursor}))
            yield from page.schedules
            cursor = page.next_cursor
            if cursor is None:
                return

    def create(self, definition: ScheduleDefinition) -> Schedule:
        """The schedule, or the one that stands already just so: repeating it is safe."""
        return self._client.ask(Schedule, post(path("schedules"), definition))

    def get(self, schedule_id: Id) -> Schedule:
        return self._client.ask(Schedule, get(path("schedules", schedule_id)))

    def replace(self, schedule_id: Id, definition: ScheduleDefinition) -> Schedule:
        """Its next slot is the first one after now."""
        return self._client.ask(Schedule, put(path("schedules", schedule_id), definition))

    def delete(self, schedule_id: Id) -> None:
        """The jobs it has made go on."""
        self._client.send(delete(path("schedules", schedule_id)))

    def pause(self, schedule_id: Id) -> Schedule:
        return self._client.ask(Schedule, post(path("schedules", schedule_id, "pause")))

    def resume(self, schedule_id: Id) -> Schedule:
        """Slots that passed meanwhile aren't made up for."""
        return self._client.ask(Schedule, post(path("schedules", schedule_id, "resume")))

    def run(self, schedule_id: Id) -> Job:
        """A job of it at once, beside its slots."""
        return self._client.ask(Job, keyed_post(path("schedules", schedule_id, "run")))

    def upcoming(self, schedule_id: Id, count: int = 10) -> tuple[datetime, ...]:
        """When it would fire next, were it not paused."""
        request = get(path("schedules", schedule_id, "upcoming"), {"count": count})
        return self._client.ask(Upcoming, request).slots
