"""Schedules as the client sees them. See `producers.client.blocking`."""

from collections.abc import AsyncIterator, Generator, Iterator
from datetime import datetime
from uuid import UUID, uuid4

from producers.client.exchange import JSON, Outcome, Request, Step, exchange, with_query
from producers.client.ports import AsyncClient, Client
from schemas.jobs import Job
from schemas.schedules import Schedule, ScheduleDefinition, SchedulePage, ScheduleSummary, Upcoming

PATH = "/api/schedules"
PAGE = 100


def _about(method: str, path: str, wanted: ScheduleDefinition | None = None) -> Generator[Step, Outcome, Schedule]:
    request = Request(method, path) if wanted is None else Request(method, path, JSON, _body(wanted))
    reply = yield from exchange(request)
    return Schedule.model_validate_json(reply.body)


def _body(wanted: ScheduleDefinition) -> bytes:
    return wanted.model_dump_json(exclude_unset=True).encode()


def _deleting(schedule_id: UUID) -> Generator[Step, Outcome, None]:
    yield from exchange(Request("DELETE", f"{PATH}/{schedule_id}"))


def _running(schedule_id: UUID) -> Generator[Step, Outcome, Job]:
    reply = yield from exchange(Request("POST", f"{PATH}/{schedule_id}/run", {"idempotency-key": str(uuid4())}))
    return Job.model_validate_json(reply.body)


def _listing(cursor: str | None) -> Generator[Step, Outcome, SchedulePage]:
    reply = yield from exchange(Request("GET", with_query(PATH, {"limit": PAGE, "cursor": cursor})))
    return SchedulePage.model_validate_json(reply.body)


def _looking_ahead(schedule_id: UUID, count: int) -> Generator[Step, Outcome, Upcoming]:
    reply = yield from exchange(Request("GET", with_query(f"{PATH}/{schedule_id}/upcoming", {"count": count})))
    return Upcoming.model_validate_json(reply.body)


class Schedules:
    """A tenant's schedules. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __iter__(self) -> Iterator[ScheduleSummary]:
        """All of them without their commands, the newest first, fetched a page at a time."""
        cursor: str | None = None
        while True:
            page = self._client.carry_out(_listing(cursor))
            yield from page.schedules
            cursor = page.next_cursor
            if cursor is None:
                return

    def create(self, definition: ScheduleDefinition) -> Schedule:
        """The schedule, or the one that stands already just so: repeating it is safe."""
        return self._client.carry_out(_about("POST", PATH, definition))

    def show(self, schedule_id: UUID) -> Schedule:
        return self._client.carry_out(_about("GET", f"{PATH}/{schedule_id}"))

    def replace(self, schedule_id: UUID, definition: ScheduleDefinition) -> Schedule:
        """Its next slot is the first one after now."""
        return self._client.carry_out(_about("PUT", f"{PATH}/{schedule_id}", definition))

    def delete(self, schedule_id: UUID) -> None:
        """The jobs it has made go on."""
        self._client.carry_out(_deleting(schedule_id))

    def pause(self, schedule_id: UUID) -> Schedule:
        return self._client.carry_out(_about("POST", f"{PATH}/{schedule_id}/pause"))

    def resume(self, schedule_id: UUID) -> Schedule:
        """Slots that passed meanwhile aren't made up for."""
        return self._client.carry_out(_about("POST", f"{PATH}/{schedule_id}/resume"))

    def run(self, schedule_id: UUID) -> Job:
        """A job of it at once, beside its slots."""
        return self._client.carry_out(_running(schedule_id))

    def upcoming(self, schedule_id: UUID, count: int = 10) -> tuple[datetime, ...]:
        """When it would fire next, were it not paused."""
        return self._client.carry_out(_looking_ahead(schedule_id, count)).slots


class AsyncSchedules:
    """See `Schedules`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def __aiter__(self) -> AsyncIterator[ScheduleSummary]:
        cursor: str | None = None
        while True:
            page = await self._client.carry_out(_listing(cursor))
            for one in page.schedules:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def create(self, definition: ScheduleDefinition) -> Schedule:
        """See `Schedules.create`."""
        return await self._client.carry_out(_about("POST", PATH, definition))

    async def show(self, schedule_id: UUID) -> Schedule:
        return await self._client.carry_out(_about("GET", f"{PATH}/{schedule_id}"))

    async def replace(self, schedule_id: UUID, definition: ScheduleDefinition) -> Schedule:
        """See `Schedules.replace`."""
        return await self._client.carry_out(_about("PUT", f"{PATH}/{schedule_id}", definition))

    async def delete(self, schedule_id: UUID) -> None:
        """See `Schedules.delete`."""
        await self._client.carry_out(_deleting(schedule_id))

    async def pause(self, schedule_id: UUID) -> Schedule:
        return await self._client.carry_out(_about("POST", f"{PATH}/{schedule_id}/pause"))

    async def resume(self, schedule_id: UUID) -> Schedule:
        """See `Schedules.resume`."""
        return await self._client.carry_out(_about("POST", f"{PATH}/{schedule_id}/resume"))

    async def run(self, schedule_id: UUID) -> Job:
        """See `Schedules.run`."""
        return await self._client.carry_out(_running(schedule_id))

    async def upcoming(self, schedule_id: UUID, count: int = 10) -> tuple[datetime, ...]:
        """See `Schedules.upcoming`."""
        return (await self._client.carry_out(_looking_ahead(schedule_id, count))).slots
