"""Replays one job, or many failed jobs that match a filter."""

from typing import Any

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from api.auth.permissions import check_permissions, kinds_beyond
from api.auth.principal import Scope
from api.document_references import pinned
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, json_answer
from api.http.validation import body_problems
from api.routes.commands import idempotency_key
from infrastructure.celery.message import JobRef
from infrastructure.postgres.jobs import bulk_replays, queries
from infrastructure.postgres.jobs import replay as job_replay
from infrastructure.postgres.jobs.replay import ChildrenRun, Edit, NotOver, Replayed, Request
from infrastructure.postgres.session import Connection
from schemas.batches import BATCH_KIND
from schemas.bounds import check_command
from schemas.catalogue import UnknownKind, command_of
from schemas.commands import Command
from schemas.failures import Replay, ReplayCount, ReplayFailures, ReplayJob
from schemas.jobs import Job
from schemas.problems import FieldProblem
from schemas.tenants import EraseTenant
from schemas.webhooks import DeliverWebhook

INSTEAD = {
    BATCH_KIND: "Nothing of it runs: replay its jobs, which GET /api/jobs?batch_id= lists.",
    EraseTenant.kind: "Ask for it again: DELETE /api/tenants/{id}.",
    DeliverWebhook.kind: "Have the event sent again: POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver.",
}
"""Kinds of which jobs can't be replayed, and what to do instead."""


async def replay_job(call: Call[ReplayJob, Empty]) -> Answer:
    """Queues the job again and resets its attempts. Safe to repeat with the same idempotency key."""
    job_id, tenant_id = call.path_id("id", "job"), call.tenant_id
    asked = await call.db.run(job_replay.asked, job_id)
    if asked is None:
        raise problems.not_found("job")
    _check_replayable(asked.kind)
    command = _command(asked.kind, asked.command if call.body.command is None else call.body.command, call.body)
    check_permissions(call.principal, asked.kind, command)
    edit = None
    if call.body.command is not None and command is not None:
        command = await pinned(call, command, ["command"])
        edited = command.model_dump_json()
        check_command(edited)
        edit = Edit(edited, command.version)
    await call.admit_jobs()
    request = _request(call)
    seconds = call.ingress.settings.ring_again_seconds

    async def replay(connection: Connection) -> tuple[Replayed | NotOver | ChildrenRun | None, Job | None]:
        outcome = await job_replay.replay(connection, tenant_id, job_id, request, edit=edit, ring_again_seconds=seconds)
        return outcome, await queries.job(connection, tenant_id, job_id)

    outcome, job = await call.db.transaction(replay)
    if outcome is None or job is None:
        raise problems.not_found("job")
    match outcome:
        case NotOver(state):
            raise problems.job_not_over(state)
        case ChildrenRun():
            raise problems.children_run()
        case Replayed(bell):
            call.ingress.submitter.ring([] if bell is None else [JobRef(*bell)])
            return json_answer(202, job)


async def replay_failures(call: Call[ReplayFailures, Empty]) -> Answer:
    """202 with the replay, which runs in the background; 200 with a count for a dry run."""
    tenant_id, body = call.tenant_id, call.body
    beyond = kinds_beyond(call.principal)
    if body.kind is not None:
        _check_replayable(body.kind)
        if body.kind in beyond:
            check_permissions(call.principal, body.kind, None)
    left_out = (*beyond, *INSTEAD)
    if body.dry_run:
        now = call.ingress.clock.now()
        before = now if body.until is None else min(now, body.until)
        count, counted_all = await call.db.run(bulk_replays.count, body.filter, before=before, except_kinds=left_out)
        return json_answer(
            200, ReplayCount(count=min(count, body.limit), counted_all=counted_all or count >= body.limit)
        )
    request = _request(call)
    replay = await call.db.transaction(
        lambda connection: bulk_replays.begin(
            connection,
            uuid7(),
            tenant_id,
            body.filter,
            request,
            except_kinds=left_out,
            limit=body.limit,
            per_second=body.per_second,
        )
    )
    if (replay.filter, replay.limit, replay.per_second) != (body.filter, body.limit, body.per_second):
        raise problems.key_reused()
    return json_answer(202, replay, (b"location", f"/api/replays/{replay.id}".encode()))


async def show_replay(call: Call[Empty, Empty]) -> Answer:
    replay_id = call.path_id("id", "replay")
    replay = await call.db.run(bulk_replays.replay_of, replay_id)
    if replay is None:
        raise problems.not_found("replay")
    return json_answer(200, replay)


def _check_replayable(kind: str) -> None:
    if kind in INSTEAD:
        raise problems.not_replayable(kind, INSTEAD[kind])


def _command(kind: str, fields: dict[str, Any], body: ReplayJob) -> Command | None:
    """The command the job would run; None if another release stored it and it can't be parsed here."""
    try:
        return command_of(kind, fields)
    except (UnknownKind, ValidationError) as error:
        if body.command is None:
            return None
        if isinstance(error, ValidationError):
            raise problems.invalid_fields(body_problems(error, fields, ["command"])) from None
        detail = "this ingress doesn't know the job's kind, so it can't tell whether the fields fit; replay it as it is"
        raise problems.invalid_fields([FieldProblem(pointer="/command", detail=detail)]) from None


def _request(call: Call[Any, Any]) -> Request:
    return Request(call.principal.key_id, idempotency_key(call.headers.get("idempotency-key")))


# Before those of `api.routes.jobs`, whose /api/jobs/{id} would take "replay" for an id.
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/jobs/replay",
        summary="Replay failed jobs",
        description="Queues every matching job again that had failed or died before this request, each once, at the rate "
        "you give. `dry_run` only counts them. Kinds that the key may not submit are left out, and so are webhook "
        "deliveries, which have an endpoint of their own for that.",
        handle=replay_failures,
        body=ReplayFailures,
        answers={202: Replay, 200: ReplayCount},
        scope=Scope.JOBS_WRITE,
        headers=("idempotency-key",),
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/replays/{id}",
        summary="Show a replay of many jobs",
        description="How many it has queued again so far.",
        handle=show_replay,
        answers={200: Replay},
        scope=Scope.JOBS_READ,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/jobs/{id}/replay",
        summary="Replay a job",
        description="Queues a failed, dead or cancelled job again with its attempts reset, with its own command or with "
        "the one you give. A deadline that has passed is dropped. Its children aren't run again, and it gets their "
        "outcomes again; a parent that still waits, waits for it again. A batch can't be replayed; its jobs can.",
        handle=replay_job,
        body=ReplayJob,
        answers={202: Job},
        scope=Scope.JOBS_WRITE,
        headers=("idempotency-key",),
        problems=(404, 409, 422),
    ),
)
