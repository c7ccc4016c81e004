"""Event streams: of one job until it ends, and of all a tenant's jobs for as long as somebody listens."""

from typing import Any
from uuid import UUID

from api import problems
from api.answers import Media
from api.authentication import Scope
from api.endpoint import Call, Empty, Endpoint
from api.frames import Announced, place_frame
from api.ingress import Ingress
from api.resuming import position_from, seq_from
from api.streaming import EventStream, Tell, Writer
from api.subscribers import Behind, Ended, JobEvents, Subscriber, TypedEvents
from events.jobs import ENDINGS
from infrastructure.postgres import feed
from infrastructure.postgres.feed import Position
from schemas.event_types import EventPattern
from schemas.model import Model

STREAM = Media("text/event-stream", "Server-Sent Events; each `data` is one CloudEvent in JSON.")


class EventQuery(Model):
    type: EventPattern = "*"
    """Which types of event, with `*` and `?` as in file names, such as `search.*`."""


async def follow_job(call: Call[Empty, Empty]) -> EventStream:
    """The job's events from the first one, or from after the Last-Event-ID, until it has ended."""
    job_id = call.path_id("id", "job")
    story = _JobStory(call.ingress, call.tenant_id, job_id, seq_from(call.headers.get("last-event-id")))
    if await story.stored() is None:
        raise problems.not_found("job")
    return _stream(call, JobEvents(job_id), story.tell)


async def follow_tenant(call: Call[Empty, EventQuery]) -> EventStream:
    """Everything that happens to the tenant's jobs, from now on or from after the Last-Event-ID."""
    wants = TypedEvents(call.query.type)
    start = position_from(call.headers.get("last-event-id"))
    return _stream(call, wants, _TenantStory(call.ingress, call.tenant_id, wants, start).tell)


class _JobStory:
    """Tells one job's events by their seq: the stored ones, then the live ones; after a gap the stored ones again."""

    def __init__(self, ingress: Ingress, tenant_id: UUID, job_id: UUID, told: int) -> None:
        self._hub = ingress.hub
        self._lines = ingress.catch_up_lines
        self._tenant_id = tenant_id
        self._job_id = job_id
        self._told = told

    async def tell(self, writer: Writer, subscriber: Subscriber) -> None:
        while True:
            if not subscriber.live:
                await self._hub.join(subscriber)
            if await self._tell_stored(writer) or await self._tell_live(writer, subscriber):
                return

    async def stored(self) -> feed.JobRows | None:
        return await self._lines.run(
            self._tenant_id, lambda line: feed.job_rows(line, self._tenant_id, self._job_id, after=self._told)
        )

    async def _tell_stored(self, writer: Writer) -> bool:
        """Whether that was all there will ever be."""
        while (found := await self.stored()) is not None:
            await writer.frames(Announced.stored(row, None).for_job() for row in found.rows)
            if found.rows:
                self._told = found.rows[-1].seq
            if found.over or len(found.rows) < feed.PAGE:
                return found.over
            await writer.keep_up()
        return True

    async def _tell_live(self, writer: Writer, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        while True:
            if (idle_seconds := writer.idle_seconds) <= 0:
                await writer.keep_up()
            match await subscriber.take(idle_seconds):
                case Ended():
                    return True
                case Behind():
                    return False
                case taken:
                    frames, self._told, whole = next_frames(taken, self._told)
                    await writer.frames(frames)
                    if not whole:
                        return False


def next_frames(taken: tuple[Announced, ...], told: int) -> tuple[list[bytes], int, bool]:
    """What of it comes next, and the last seq then. Not whole at a gap (a clock that was set back may cause one) and
    after an ending: then the stored events tell how it goes on."""
    frames: list[bytes] = []
    for announced in taken:
        if announced.row is None:
            frames.append(announced.for_job())
        elif announced.row.seq > told + 1:
            return frames, told, False
        elif announced.row.seq == told + 1:
            frames.append(announced.for_job())
            told = announced.row.seq
            if announced.type in ENDINGS:
                return frames, told, False
    return frames, told, True


class _TenantStory:
    """Tells a tenant's events by their place in its feed."""

    def __init__(self, ingress: Ingress, tenant_id: UUID, wants: TypedEvents, start: Position | None) -> None:
        self._hub = ingress.hub
        self._lines = ingress.catch_up_lines
        self._tenant_id = tenant_id
        self._wants = wants
        self._place = start

    async def tell(self, writer: Writer, subscriber: Subscriber) -> None:
        while (upto := await self._hub.join(subscriber)) is not None:
            if self._place is None:
                await writer.note(place_frame(Position(upto)))
            else:
                await self._tell_stored(writer, self._place, upto)
            self._place = Position(upto)
            if await self._tell_live(writer, subscriber):
                return

    async def _tell_stored(self, writer: Writer, place: Position, upto: str) -> None:
        while place != Position(upto):
            news = await self._stored_after(place, upto)
            rows = [row for row in news.rows if self._wants.match(row.type)]
            await writer.frames(Announced.stored(row, news.position_of(row)).for_tenant() for row in rows)
            place = news.position
            await writer.keep_up(place)

    async def _stored_after(self, place: Position, upto: str) -> feed.News:
        return await self._lines.run(self._tenant_id, lambda line: feed.page(line, self._tenant_id, place, upto))

    async def _tell_live(self, writer: Writer, subscriber: Subscriber) -> bool:
        """True when the reader leaves, False when PostgreSQL must be read again."""
        while True:
            if (idle_seconds := writer.idle_seconds) <= 0:
                await writer.keep_up(self._place)
            match await subscriber.take(idle_seconds):
                case Ended():
                    return True
                case Behind():
                    return False
                case ():
                    self._place = self._hub.read_up_to(self._tenant_id) or self._place
                case taken:
                    await writer.frames(announced.for_tenant() for announced in taken)
                    for announced in taken:
                        self._place = announced.position or self._place


def _stream(call: Call[Empty, Any], wants: JobEvents | TypedEvents, tell: Tell) -> EventStream:
    ingress = call.ingress
    return EventStream(ingress.hub, ingress.credentials, call.credential, wants, tell)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/events",
        aliases=("/api/batches/{id}/events",),
        summary="Follow a job",
        description="Ends after the job has. Resumes after the `Last-Event-ID` without loss or repeat.",
        handle=follow_job,
        answers={200: STREAM},
        scope=Scope.JOBS_READ,
        headers=("last-event-id",),
        problems=(400, 404),
    ),
    Endpoint(
        method="GET",
        path="/api/events",
        summary="Follow all jobs",
        description="Resumes after the `Last-Event-ID` without loss or repeat.",
        handle=follow_tenant,
        query=EventQuery,
        answers={200: STREAM},
        scope=Scope.JOBS_READ,
        headers=("last-event-id",),
        problems=(400,),
    ),
)
