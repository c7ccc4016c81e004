"""Schedules: commands that are handed in again and again."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import Id, delete, get, keyed_post, path, post, put
from schemas.jobs import Job
from schemas.schedules import Schedule, ScheduleDefinition, SchedulePage, ScheduleSummary, Upcoming

PAGE: Final = 100


class AsyncSchedules:
    """Your schedules. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self) -> AsyncIterator[ScheduleSummary]:
        """All of them without their commands, the newest first, fetched a page at a time."""
        cursor: str | None = None
        while True:
            page = await self._client.ask(SchedulePage, get(path("schedules"), {"limit": PAGE, "cursor": cursor}))
            for schedule in page.schedules:
                yield schedule
            cursor = page.next_cursor
            if cursor is None:
                return

    async def create(self, definition: ScheduleDefinition) -> Schedule:
        """The schedule, or the one that stands already just so: repeating it is safe."""
        return await self._client.ask(Schedule, post(path("schedules"), definition))

    async def get(self, schedule_id: Id) -> Schedule:
        return await self._client.ask(Schedule, get(path("schedules", schedule_id)))

    async def replace(self, schedule_id: Id, definition: ScheduleDefinition) -> Schedule:
        """Its next slot is the first one after now."""
        return await self._client.ask(Schedule, put(path("schedules", schedule_id), definition))

    async def delete(self, schedule_id: Id) -> None:
        """The jobs it has made go on."""
        await self._client.send(delete(path("schedules", schedule_id)))

    async def pause(self, schedule_id: Id) -> Schedule:
        return await self._client.ask(Schedule, post(path("schedules", schedule_id, "pause")))

    async def resume(self, schedule_id: Id) -> Schedule:
        """Slots that passed meanwhile aren't made up for."""
        return await self._client.ask(Schedule, post(path("schedules", schedule_id, "resume")))

    async def run(self, schedule_id: Id) -> Job:
        """A job of it at once, beside its slots."""
        return await self._client.ask(Job, keyed_post(path("schedules", schedule_id, "run")))

    async def upcoming(self, schedule_id: Id, count: int = 10) -> tuple[datetime, ...]:
        """When it would fire next, were it not paused."""
        request = get(path("schedules", schedule_id, "upcoming"), {"count": count})
        return (await self._client.ask(Upcoming, request)).slots
