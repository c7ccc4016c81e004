"""SSE endpoints: the events of one job until it ends, and those of all the tenant's jobs."""

from typing import Annotated

from pydantic import Field

from api.auth.principal import Scope
from api.auth.read_tokens import LONGEST_TOKEN
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Media
from api.streams.encoding import Announced
from api.streams.resume_tokens import position_from, seq_from
from api.streams.sources import JobEventSource, TenantEventSource
from api.streams.sse import EventStream
from api.streams.subscribers import JobEvents, TypedEvents
from schemas.event_patterns import EventPattern
from schemas.model import Model

STREAM = Media("text/event-stream", "Server-Sent Events; each `data` without an `event` is one CloudEvent in JSON.")


class EventQuery(Model):
    type: EventPattern = "*"
    """Which types of event, with `*` and `?` as in file names, such as `search.*`."""


class WatcherQuery(Model):
    token: Annotated[str, Field(max_length=LONGEST_TOKEN)] | None = None
    """A read token (`POST /api/jobs/{id}/token`), for an EventSource, which can't send a header. Never a key."""


async def follow_job(call: Call[Empty, WatcherQuery]) -> EventStream:
    """Streams the job's events from the first, or after the Last-Event-ID, until it has ended."""
    job_id = call.path_id("id", "job")
    source = JobEventSource(call.ingress, call.tenant_id, job_id, seq_from(call.headers.get("last-event-id")))
    if not await source.begin():
        raise problems.not_found("job")
    return EventStream(call.ingress, call.principal, JobEvents(job_id), source.stream, Announced.for_job)


async def follow_tenant(call: Call[Empty, EventQuery]) -> EventStream:
    """Streams the events of all the tenant's jobs from now on, or after the Last-Event-ID."""
    wants = TypedEvents(call.query.type)
    start = position_from(call.headers.get("last-event-id"))
    source = TenantEventSource(call.ingress, call.tenant_id, wants, start)
    return EventStream(call.ingress, call.principal, wants, source.stream, Announced.for_tenant)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/events",
        aliases=("/api/batches/{id}/events",),
        summary="Follow a job",
        description="Ends after the job has. Resumes after the `Last-Event-ID` without loss or repeat.",
        handle=follow_job,
        query=WatcherQuery,
        answers={200: STREAM},
        scope=Scope.JOBS_READ,
        headers=("last-event-id",),
        problems=(400, 404),
        for_watchers=True,
        token_in_query=True,
    ),
    Endpoint(
        method="GET",
        path="/api/events",
        summary="Follow all jobs",
        description="Starts now, as its first message says (`event: stream.started`). With a `Last-Event-ID` it goes on "
        "after that event without loss or repeat; `Last-Event-ID: 0` starts with the oldest event that is kept.",
        handle=follow_tenant,
        query=EventQuery,
        answers={200: STREAM},
        scope=Scope.JOBS_READ,
        headers=("last-event-id",),
        problems=(400,),
    ),
)
