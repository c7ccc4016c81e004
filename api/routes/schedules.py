"""Creates, changes, pauses, runs and deletes schedules, which submit a command by a cron expression."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from uuid_utils.compat import uuid7

from api.auth.command_permissions import admitted
from api.auth.permissions import check_permissions_to_act
from api.auth.principal import Scope
from api.document_references import pinned
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.pagination import PageQuery, page_of
from api.http.responses import Answer, NoBody, json_answer
from api.routes.commands import HALF_A_CAP, half_of_a_cap, idempotency_key
from infrastructure.postgres.jobs import queries, schedules
from infrastructure.postgres.jobs.schedules import NotKept
from infrastructure.postgres.jobs.submission import KeyReused
from infrastructure.postgres.session import Connection
from producers.dispatcher.schedules import next_slot, terms_of, upcoming
from schemas.jobs import Job
from schemas.model import Model
from schemas.problems import FieldProblem
from schemas.schedules import Schedule, ScheduleDefinition, SchedulePage, Upcoming


class UpcomingQuery(Model):
    count: Annotated[int, Field(ge=1, le=100)] = 10


async def list_schedules(call: Call[Empty, PageQuery]) -> Answer:
    page, cursor = await page_of(
        call,
        "schedules",
        lambda before, limit: call.db.run(schedules.listed, before=before, limit=limit),
    )
    return json_answer(200, SchedulePage(schedules=page, next_cursor=cursor))


async def create_schedule(call: Call[ScheduleDefinition, Empty]) -> Answer:
    """201 with the schedule; 200 when an identical one exists."""
    wanted, schedule_id = _checked(call), uuid7()
    next_at = next_slot(wanted.cron, wanted.timezone, call.ingress.clock.now())
    outcome = await call.db.run(schedules.add, schedule_id, wanted, next_at=next_at)
    kept = _kept(outcome)
    location = (b"location", f"/api/schedules/{kept.id}".encode())
    return json_answer(201 if kept.id == schedule_id else 200, kept, location)


async def replace_schedule(call: Call[ScheduleDefinition, Empty]) -> Answer:
    schedule_id = call.path_id("id", "schedule")
    await _own_schedule(call)
    wanted = _checked(call)
    next_at = next_slot(wanted.cron, wanted.timezone, call.ingress.clock.now())
    return json_answer(
        200,
        _kept(await call.db.run(schedules.replace, schedule_id, wanted, next_at=next_at)),
    )


def _checked(call: Call[ScheduleDefinition, Empty]) -> ScheduleDefinition:
    if missing := half_of_a_cap(call.body.concurrency_key, call.body.concurrency_limit):
        raise problems.invalid_fields([FieldProblem(pointer=f"/{missing}", detail=HALF_A_CAP)])
    # Authorized once, here: the jobs that the schedule submits later aren't checked again.
    command = admitted(call.principal, call.body.kind, call.body.command, [])
    return call.body.model_copy(update={"command": command.model_dump(mode="json", exclude_unset=True)})


def _kept(outcome: Schedule | NotKept) -> Schedule:
    match outcome:
        case Schedule():
            return outcome
        case NotKept.NAME_TAKEN:
            raise problems.name_taken()
        case NotKept.UNKNOWN:
            raise problems.not_found("schedule")


async def show_schedule(call: Call[Empty, Empty]) -> Answer:
    return json_answer(200, await _schedule(call))


async def delete_schedule(call: Call[Empty, Empty]) -> Answer:
    schedule_id = call.path_id("id", "schedule")
    await _own_schedule(call)
    if not await call.db.run(schedules.remove, schedule_id):
        raise problems.not_found("schedule")
    return Answer(204)


async def pause_schedule(call: Call[Empty, Empty]) -> Answer:
    return await _changed(call, lambda connection, schedule: schedules.pause(connection, call.tenant_id, schedule.id))


async def resume_schedule(call: Call[Empty, Empty]) -> Answer:
    async def resume(connection: Connection, schedule: Schedule) -> Schedule | None:
        next_at = next_slot(schedule.cron, schedule.timezone, call.ingress.clock.now())
        return await schedules.resume(connection, call.tenant_id, schedule.id, next_at=next_at)

    return await _changed(call, resume)


async def _changed(
    call: Call[Empty, Empty], change: Callable[[Connection, Schedule], Awaitable[Schedule | None]]
) -> Answer:
    schedule = await _own_schedule(call)
    changed = await call.db.transaction(lambda connection: change(connection, schedule))
    if changed is None:
        raise problems.not_found("schedule")
    return json_answer(200, changed)


async def run_schedule(call: Call[Empty, Empty]) -> Answer:
    """Submits a job now, even if the schedule is paused. Its slots and their overlap policy aren't affected."""
    schedule = await _schedule(call)
    command = admitted(call.principal, schedule.kind, schedule.command, [])
    pinned_command = await pinned(call, command)
    await call.admit_jobs()
    options = terms_of(
        schedule, call.ingress.clock.now(), idempotency_key=idempotency_key(call.headers.get("idempotency-key"))
    )
    submission = await call.ingress.submitter.submit(call.tenant_id, pinned_command, replace(options, sent=command))
    if isinstance(submission, KeyReused):
        raise problems.key_reused()
    job = await _job(call, submission.job_id)
    return json_answer(202, job, (b"location", f"/api/jobs/{job.id}".encode()))


async def show_upcoming(call: Call[Empty, UpcomingQuery]) -> Answer:
    schedule = await _schedule(call)
    slots = upcoming(schedule.cron, schedule.timezone, call.ingress.clock.now(), call.query.count)
    return json_answer(200, Upcoming(slots=slots))


async def _schedule(call: Call[Any, Any]) -> Schedule:
    schedule_id = call.path_id("id", "schedule")
    found = await call.db.run(schedules.one, schedule_id)
    if found is None:
        raise problems.not_found("schedule")
    return found


async def _own_schedule(call: Call[Any, Any]) -> Schedule:
    """The schedule, if the principal may submit its command. Raises a Refusal (403) otherwise."""
    schedule = await _schedule(call)
    check_permissions_to_act(call.principal, schedule.kind, schedule.command)
    return schedule


async def _job(call: Call[Any, Any], job_id: UUID) -> Job:
    job = await call.db.run(queries.job, job_id)
    if job is None:
        raise problems.not_found("job")
    return job


def _action(
    name: str, summary: str, description: str, handle: Callable[[Call[Empty, Empty]], Awaitable[Answer]]
) -> Endpoint[Empty, Empty]:
    return Endpoint(
        method="POST",
        path=f"/api/schedules/{{id}}/{name}",
        summary=summary,
        description=description,
        handle=handle,
        answers={202: Job} if name == "run" else {200: Schedule},
        scope=Scope.JOBS_WRITE,
        headers=("idempotency-key",) if name == "run" else (),
        problems=(404, 422) if name == "run" else (404,),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/schedules",
        summary="List schedules",
        description="The newest first, without their commands.",
        handle=list_schedules,
        query=PageQuery,
        answers={200: SchedulePage},
        scope=Scope.JOBS_READ,
        problems=(400,),
    ),
    Endpoint(
        method="POST",
        path="/api/schedules",
        summary="Make a schedule",
        description=(
            "Its command needs the same scope as at its own endpoint. It goes on submitting jobs after the key is "
            "revoked. Repeating the request is safe: an identical schedule is returned."
        ),
        handle=create_schedule,
        body=ScheduleDefinition,
        answers={201: Schedule, 200: Schedule},
        scope=Scope.JOBS_WRITE,
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/schedules/{id}",
        summary="Show a schedule",
        handle=show_schedule,
        answers={200: Schedule},
        scope=Scope.JOBS_READ,
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path="/api/schedules/{id}",
        summary="Change a schedule",
        description=(
            "The whole definition is replaced, and the next slot is the first one after now. Changing, pausing, resuming "
            "or deleting a schedule needs the same scope as making it."
        ),
        handle=replace_schedule,
        body=ScheduleDefinition,
        answers={200: Schedule},
        scope=Scope.JOBS_WRITE,
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="DELETE",
        path="/api/schedules/{id}",
        summary="Delete a schedule",
        description="Jobs it has submitted go on.",
        handle=delete_schedule,
        answers={204: NoBody()},
        scope=Scope.JOBS_WRITE,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/schedules/{id}/upcoming",
        summary="Show a schedule's next slots",
        handle=show_upcoming,
        query=UpcomingQuery,
        answers={200: Upcoming},
        scope=Scope.JOBS_READ,
        problems=(404,),
    ),
    _action("pause", "Pause a schedule", "It makes no jobs until it is resumed.", pause_schedule),
    _action("resume", "Resume a schedule", "Slots that passed meanwhile aren't made up for.", resume_schedule),
    _action(
        "run",
        "Run a schedule now",
        "Submits a job at once, in addition to its slots. 202 means that it is stored.",
        run_schedule,
    ),
)
