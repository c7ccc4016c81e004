"""Lists and shows jobs and their timelines, cancels them, and makes read tokens."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.auth.permissions import check_permissions_to_act, kinds_beyond
from api.auth.principal import Scope
from api.auth.read_tokens import ReadToken
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.conditional import unless_known
from api.http.pagination import PageQuery, page_of
from api.http.responses import Answer, Header, json_answer
from api.streams.long_poll import applied, until_finished, wanted_seconds
from infrastructure.concurrency.batching import Overloaded
from infrastructure.postgres.jobs import cancellation, queries
from infrastructure.postgres.jobs.cancellation import AlreadyOver, Cancelled
from infrastructure.postgres.jobs.queries import JobFilters
from infrastructure.postgres.jobs.settlement import resume_parents
from infrastructure.postgres.session import Connection
from infrastructure.redis.client import FAULTS
from infrastructure.redis.pubsub import Channel, announce
from schemas.commands import QueueName
from schemas.jobs import Job, JobCommand, JobPage, JobState, JobToken, ReadTokenRequest, Timeline

logger = logging.getLogger(__name__)

MAX_ROUNDS, ROUND_SECONDS = 50, 0.02
"""Rounds in which a batch's jobs are cancelled: a job locked by a claim or settle is left for the next round."""
FRESH: Header = (b"cache-control", b"private, no-cache")


class Include(StrEnum):
    RESULT = "result"


class JobQuery(PageQuery):
    state: JobState | None = None
    kind: Annotated[str, Field(max_length=100)] | None = None
    queue: QueueName | None = None
    batch_id: UUID | None = None
    """Only the jobs of this batch."""
    id_prefix: Annotated[str, Field(pattern=r"^[0-9a-f]{1,32}$")] | None = None
    """Only jobs whose id begins with these hexadecimal digits; hyphens are left out."""
    include: Include | None = None
    """`result`: with each result of up to 4 KB. Without it a job that has a result only says where: `result_url`."""


async def list_jobs(call: Call[Empty, JobQuery]) -> Answer:
    """A page of the tenant's jobs, newest first."""
    query = call.query
    filters = JobFilters(query.state, query.kind, query.queue, query.batch_id, query.id_prefix)
    results = query.include is Include.RESULT
    page, cursor = await page_of(
        call,
        f"jobs {query.state} {query.queue} {query.kind} {query.batch_id} {query.id_prefix}",
        lambda before, limit: call.db.run(queries.jobs, filters, before=before, limit=limit, results=results),
    )
    return json_answer(200, JobPage(jobs=page, next_cursor=cursor))


async def show_job(call: Call[Empty, Empty]) -> Answer:
    """The job's current state; with `Prefer: wait`, once it has ended or the time is up."""
    job_id = call.path_id("id", "job")
    seconds = wanted_seconds(call.headers)
    if seconds is None:
        job = await call.db.run(queries.job, job_id)
    else:
        job = await until_finished(call.ingress, call.principal, job_id, seconds)
    if job is None:
        raise problems.not_found("job")
    headers = () if seconds is None else (applied(seconds),)
    return unless_known(json_answer(200, job, FRESH, *headers), call.headers.get("if-none-match"))


async def show_timeline(call: Call[Empty, Empty]) -> Answer:
    """Every event of the job, in order."""
    job_id = call.path_id("id", "job")
    timeline = await call.db.run(queries.timeline, job_id)
    if timeline is None:
        raise problems.not_found("job")
    return json_answer(200, timeline)


async def show_command(call: Call[Empty, Empty]) -> Answer:
    """What the job was given to do."""
    job_id = call.path_id("id", "job")
    command = await call.db.run(queries.command, job_id)
    if command is None:
        raise problems.not_found("job")
    return json_answer(200, command)


async def cancel_job(call: Call[Empty, Empty]) -> Answer:
    """Cancels the job. Repeating it is safe; a job that has ended otherwise gives a 409."""
    return json_answer(200, await end_job(call, call.path_id("id", "job")))


async def end_job(call: Call[Empty, Empty], job_id: UUID) -> Job:
    """Cancels the job, and a batch's unfinished jobs with it. Returns the cancelled job; repeating it is safe."""
    tenant_id = call.tenant_id
    await _check_permissions(call, job_id)

    async def cancel(connection: Connection) -> tuple[Cancelled | AlreadyOver | None, Job | None]:
        return await cancellation.cancel(connection, tenant_id, job_id), await queries.job(
            connection, tenant_id, job_id
        )

    outcome, job = await call.db.transaction(cancel)
    if outcome is None or job is None:
        raise problems.not_found("job")
    match outcome:
        case AlreadyOver(state):
            raise problems.job_over(state)
        case Cancelled():
            await _publish_cancellation(call, job_id, outcome)
            if outcome.is_batch:
                await _end_children(call, job_id)
            return job


async def _check_permissions(call: Call[Empty, Empty], job_id: UUID) -> None:
    """Raises a Refusal unless the principal may submit the job and, for a batch, each job in it. Commands may be large,
    so they are read one at a time."""
    if not kinds_beyond(call.principal):
        return
    beyond, after = kinds_beyond(call.principal), UUID(int=0)
    while True:
        found = await call.db.transaction(
            partial(cancellation.next_unended, tenant_id=call.tenant_id, job_id=job_id, kinds=beyond, after=after)
        )
        if found is None:
            return
        after, asked = found
        check_permissions_to_act(call.principal, asked.kind, asked.command)


async def _publish_cancellation(call: Call[Empty, Empty], job_id: UUID, cancelled: Cancelled) -> None:
    parent_id = cancelled.parent_id
    if parent_id is not None:
        await call.db.transaction(lambda connection: resume_parents(connection, [parent_id]))
    call.ingress.tenant_notifier.notify([call.tenant_id])
    await _announce(call, Channel.STOP, [job_id] if cancelled.was_running else [])
    await _announce(call, Channel.ADMISSION, [job_id] if cancelled.capped else [])


async def _end_children(call: Call[Empty, Empty], batch_id: UUID) -> None:
    # The batch was cancelled first, so that the end of its jobs doesn't complete it.
    tenant_id = call.tenant_id
    for _ in range(MAX_ROUNDS):
        ended = await call.db.run(cancellation.cancel_children, batch_id)
        call.ingress.tenant_notifier.notify([tenant_id])
        await _announce(call, Channel.STOP, ended.stopped)
        await _announce(call, Channel.ADMISSION, ended.capped)
        if not ended.left:
            return
        await asyncio.sleep(ROUND_SECONDS)
    raise Overloaded(f"some jobs of batch {batch_id} were being claimed or settled whenever they were to be cancelled")


async def _announce(call: Call[Empty, Empty], channel: Channel, job_ids: Sequence[UUID]) -> None:
    if not job_ids:
        return
    try:
        await announce(call.ingress.redis, channel, job_ids)
    except FAULTS:
        # The worker keeps running it and learns of the cancellation when it settles: the result is dropped.
        logger.warning("cancelled run not stopped: Redis can't be reached")


async def make_token(call: Call[ReadTokenRequest, Empty]) -> Answer:
    """Makes a read token for the job. It expires after `ttl_seconds`, and with the key that made it."""
    job_id, tenant_id = call.path_id("id", "job"), call.tenant_id
    if await call.db.run(queries.job, job_id) is None:
        raise problems.not_found("job")
    expires_at = int(call.ingress.clock.now().timestamp()) + call.body.ttl_seconds
    if call.principal.expires_at is not None:
        expires_at = min(expires_at, int(call.principal.expires_at))
    token = call.ingress.tokens.sign(ReadToken(tenant_id, job_id, call.principal.key_id, expires_at))
    return json_answer(201, JobToken(token=token, expires_at=datetime.fromtimestamp(expires_at, UTC)))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/jobs/{id}",
        summary="Show a job",
        description="`Prefer: wait=N` answers when the job has ended, at the latest after N seconds.",
        handle=show_job,
        answers={200: Job},
        scope=Scope.JOBS_READ,
        headers=("prefer", "if-none-match"),
        problems=(404,),
        for_watchers=True,
    ),
    Endpoint(
        method="GET",
        path="/api/jobs",
        summary="List jobs",
        description="The newest first, without results unless `include=result`.",
        handle=list_jobs,
        query=JobQuery,
        answers={200: JobPage},
        scope=Scope.JOBS_READ,
        problems=(400,),
    ),
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/timeline",
        summary="Explain a job",
        description="Every event of the job, in order.",
        handle=show_timeline,
        answers={200: Timeline},
        scope=Scope.JOBS_READ,
        problems=(404,),
        for_watchers=True,
    ),
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/command",
        summary="Show what a job was given",
        description="The command with all its fields. It may hold whole documents, so reading jobs isn't enough for it, "
        "and a read token never opens it.",
        handle=show_command,
        answers={200: JobCommand},
        scope=Scope.JOBS_READ_CONTENT,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/jobs/{id}/cancel",
        while_suspended=True,
        summary="Cancel a job",
        description="A running attempt is stopped and its result is dropped. Repeating it is safe.",
        handle=cancel_job,
        answers={200: Job},
        scope=Scope.JOBS_WRITE,
        problems=(404, 409),
    ),
    Endpoint(
        method="POST",
        path="/api/jobs/{id}/token",
        while_suspended=True,
        summary="Make a read token",
        description="For a browser: it opens this job, its timeline, its result, why it waits and its events, on streams "
        "and WebSockets, and nothing else. It ends when its time is up or when the key that asked for it is revoked.",
        handle=make_token,
        body=ReadTokenRequest,
        answers={201: JobToken},
        scope=Scope.JOBS_READ,
        problems=(404,),
    ),
)
