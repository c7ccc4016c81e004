"""Event streams: of one job until it ends, and of all a tenant's jobs for as long as somebody listens."""

from typing import Annotated, Any

from pydantic import Field

from api import problems
from api.answers import Media
from api.authentication import Scope
from api.endpoint import Call, Empty, Endpoint
from api.frames import Announced, place_frame
from api.hub import Hub
from api.resuming import position_from, seq_from
from api.streaming import EventStream, Tell, Writer
from api.subscribers import Behind, Ended, JobEvents, Subscriber, TypedEvents
from events.jobs import ENDINGS
from infrastructure.postgres import feed
from infrastructure.postgres.feed import Position
from schemas.model import Model

STREAM = Media("text/event-stream", "Server-Sent Events; each `data` is one CloudEvent in JSON.")


class EventQuery(Model):
    type: Annotated[str, Field(pattern=r"^[a-z0-9_.*?-]{1,100}$")] = "*"
    """Which types of event, with `*` and `?` as in file names, such as `search.*`."""


async def follow_job(call: Call[Empty, Empty]) -> EventStream:
    """The job's events from the first one, or from after the Last-Event-ID, until it has ended."""
    job_id = call.path_id("id", "job")
    after = seq_from(call.headers.get("last-event-id"))
    lines, tenant_id = call.ingress.catch_up_lines, call.tenant_id

    async def tell(writer: Writer, subscriber: Subscriber) -> None:
        last: int | None = after
        while last is not None:
            if not subscriber.live:
                await call.ingress.hub.join(subscriber)
            last = await tell_stored(writer, last)
            if last is not None:
                last = await _tell_job_live(writer, subscriber, last)

    async def stored_after(seq: int) -> feed.JobRows | None:
        return await lines.run(tenant_id, lambda line: feed.job_rows(line, tenant_id, job_id, after=seq))

    async def tell_stored(writer: Writer, last: int) -> int | None:
        """The seq up to which all is told; None when the job has ended and all is told."""
        while True:
            found = await stored_after(last)
            if found is None:
                return None
            await writer.frames(Announced.stored(row, None).for_job() for row in found.rows)
            if found.over:
                return None
            if len(found.rows) < feed.PAGE:
                return found.rows[-1].seq if found.rows else last
            last = found.rows[-1].seq
            await writer.keep_up()

    if await stored_after(after) is None:
        raise problems.not_found("job")
    return _stream(call, JobEvents(job_id), tell)


async def _tell_job_live(writer: Writer, subscriber: Subscriber, last: int) -> int | None:
    """The seq from which on PostgreSQL must be read again; None when the reader leaves."""
    while True:
        await writer.keep_up()
        match await subscriber.take(writer.idle_seconds):
            case Ended():
                return None
            case Behind():
                return last
            case taken:
                frames, last, whole = _next_frames(taken, last)
                await writer.frames(frames)
                if not whole:
                    return last


def _next_frames(taken: tuple[Announced, ...], last: int) -> tuple[list[bytes], int, bool]:
    """What of it comes next, and the last seq then. Not whole at a gap (a clock that was set back may cause one) and
    after an ending: then the stored events tell how it goes on."""
    frames: list[bytes] = []
    for announced in taken:
        if announced.row is None:
            frames.append(announced.for_job())
        elif announced.row.seq > last + 1:
            return frames, last, False
        elif announced.row.seq == last + 1:
            frames.append(announced.for_job())
            last = announced.row.seq
            if announced.type in ENDINGS:
                return frames, last, False
    return frames, last, True


async def follow_tenant(call: Call[Empty, EventQuery]) -> EventStream:
    """Everything that happens to the tenant's jobs, from now on or from after the Last-Event-ID."""
    wants = TypedEvents(call.query.type)
    start = position_from(call.headers.get("last-event-id"))
    lines, tenant_id = call.ingress.catch_up_lines, call.tenant_id

    async def tell(writer: Writer, subscriber: Subscriber) -> None:
        place = start
        while (upto := await call.ingress.hub.join(subscriber)) is not None:
            if place is None:
                await writer.note(place_frame(Position(upto)))
            else:
                await tell_stored(writer, place, upto)
            place = await _tell_feed_live(call.ingress.hub, writer, subscriber, Position(upto))
            if place is None:
                return

    async def stored_after(place: Position, upto: str) -> feed.News:
        return await lines.run(tenant_id, lambda line: feed.page(line, tenant_id, place, upto))

    async def tell_stored(writer: Writer, place: Position, upto: str) -> None:
        while place != Position(upto):
            news = await stored_after(place, upto)
            rows = [row for row in news.rows if wants.match(row.type)]
            await writer.frames(Announced.stored(row, news.position_of(row)).for_tenant() for row in rows)
            place = news.position
            await writer.keep_up(place)

    return _stream(call, wants, tell)


async def _tell_feed_live(hub: Hub, writer: Writer, subscriber: Subscriber, place: Position) -> Position | None:
    """The place from which on PostgreSQL must be read again; None when the reader leaves."""
    while True:
        await writer.keep_up(place)
        match await subscriber.take(writer.idle_seconds):
            case Ended():
                return None
            case Behind():
                return place
            case ():
                place = hub.read_up_to(subscriber.tenant_id) or place
            case taken:
                await writer.frames(announced.for_tenant() for announced in taken)
                for announced in taken:
                    place = announced.position or place


def _stream(call: Call[Empty, Any], wants: JobEvents | TypedEvents, tell: Tell) -> EventStream:
    ingress = call.ingress
    return EventStream(ingress.hub, ingress.credentials, call.credential, wants, tell)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/events",
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
