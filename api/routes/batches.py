"""Batches: submits many commands in one request, and shows or cancels the batch."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from api.auth.command_permissions import admitted
from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.request_body import pointer_to
from api.http.responses import Answer, Header, json_answer
from api.routes.commands import DEADLINE_PASSED, HALF_A_CAP, REPLAYED, deadline_passed, half_of_a_cap, idempotency_key
from api.routes.jobs import FRESH, end_job, unless_known
from api.streams.long_poll import applied, until_finished, wanted_seconds
from infrastructure.postgres.jobs import batches
from infrastructure.postgres.jobs.batches import Kept, NewBatch, RefusedWhole
from infrastructure.postgres.jobs.submission import Accepted, KeyReused, NewJob, Repeated, Submission
from producers.submission.submitter import NORMAL_PRIORITY, JobOptions, concurrency, new_job
from schemas.batches import (
    BATCH_KIND,
    BATCH_QUEUE,
    Batch,
    BatchAccepted,
    BatchItem,
    ItemAnswer,
    ItemOutcome,
    SubmitBatch,
)
from schemas.bounds import OutOfBounds
from schemas.model import Model
from schemas.problems import FieldProblem

MAX_ERRORS_OF_AN_ITEM = 5
MAX_ERRORS = 50
TURN_SECONDS = 0.01
"""How long validation runs before other requests get a turn on the event loop."""

Looked = NewJob | ItemAnswer
"""A validated item: the job to store, or the answer that says why not."""


async def submit_batch(call: Call[SubmitBatch, Empty]) -> Answer:
    """202 with the outcome of each command, once the accepted jobs are committed."""
    batch_id = uuid7()
    looked = await _look_at_all(call, batch_id)
    jobs = [one for one in looked if isinstance(one, NewJob)]
    if not jobs or (call.body.atomic and len(jobs) < len(looked)):
        raise _refused(looked)
    await call.admit_jobs(len(jobs))

    def first_answer(submissions: Sequence[Submission]) -> str:
        return _answer(batch_id, call.body.name, looked, submissions).model_dump_json()

    outcome = await call.ingress.submitter.submit_batch(
        NewBatch(await _as_job(call, batch_id), atomic=call.body.atomic, tell=first_answer), jobs
    )
    match outcome:
        case Kept(submissions):
            return _accepted(_answer(batch_id, call.body.name, looked, submissions))
        case RefusedWhole(submissions):
            raise _refused(_answer(batch_id, "", looked, submissions).jobs)
        case Repeated(first_id):
            return _accepted(await _first_answer(call, first_id), REPLAYED)
        case KeyReused():
            raise problems.key_reused()


async def _look_at_all(call: Call[SubmitBatch, Empty], batch_id: UUID) -> list[Looked]:
    looked: list[Looked] = []
    async for number, item in _in_turns(call.body.jobs):
        looked.append(_look_at(call, batch_id, number, item))
    return looked


async def _in_turns(items: Sequence[BatchItem]) -> AsyncIterator[tuple[int, BatchItem]]:
    """The items with their numbers. Yields to the event loop every TURN_SECONDS, so a large batch doesn't block others."""
    began = time.monotonic()
    for number, item in enumerate(items):
        if time.monotonic() - began > TURN_SECONDS:
            await asyncio.sleep(0)
            began = time.monotonic()
        yield number, item


def _look_at(call: Call[SubmitBatch, Empty], batch_id: UUID, number: int, item: BatchItem) -> Looked:
    place: list[str | int] = ["jobs", number]
    if flaws := _flaws_of(item, place, call.ingress.clock.now()):
        return ItemAnswer(outcome=ItemOutcome.INVALID, errors=flaws)
    try:
        command = admitted(call.principal, item.kind, item.command, place)
    except problems.Refusal as refusal:
        problem = refusal.problem
        outcome = ItemOutcome.FORBIDDEN if problem.status == 403 else ItemOutcome.INVALID
        errors = problem.errors[:MAX_ERRORS_OF_AN_ITEM]
        return ItemAnswer(
            outcome=outcome, errors=errors or (FieldProblem(pointer=pointer_to(place), detail=problem.detail),)
        )
    options = JobOptions(
        priority=item.priority,
        run_at=item.run_at,
        deadline=item.deadline,
        correlation_id=call.correlation_id,
        causation_id=batch_id,
        parent_id=batch_id,
        traceparent=call.trace.traceparent,
        idempotency_key=item.idempotency_key,
        concurrency=concurrency(item.concurrency_key, item.concurrency_limit),
    )
    try:
        return new_job(call.tenant_id, command, options)
    except OutOfBounds as error:
        flaw = FieldProblem(pointer=pointer_to([*place, "command"]), detail=str(error))
        return ItemAnswer(outcome=ItemOutcome.INVALID, errors=(flaw,))


def _flaws_of(item: BatchItem, place: Sequence[str | int], now: datetime) -> tuple[FieldProblem, ...]:
    """Errors that involve more than one field."""
    flaws: list[FieldProblem] = []
    if deadline_passed(item.run_at, item.deadline, now):
        flaws.append(FieldProblem(pointer=pointer_to([*place, "deadline"]), detail=DEADLINE_PASSED))
    if missing := half_of_a_cap(item.concurrency_key, item.concurrency_limit):
        flaws.append(FieldProblem(pointer=pointer_to([*place, missing]), detail=HALF_A_CAP))
    return tuple(flaws)


def _refused(looked: Sequence[Looked]) -> problems.Refusal:
    answers = [one for one in looked if isinstance(one, ItemAnswer)]
    if all(one.outcome is ItemOutcome.FORBIDDEN for one in answers):
        return problems.batch_forbidden([flaw for one in answers for flaw in one.errors][:MAX_ERRORS])
    return problems.invalid_fields([flaw for one in answers for flaw in one.errors][:MAX_ERRORS])


async def _as_job(call: Call[SubmitBatch, Empty], batch_id: UUID) -> NewJob:
    key = idempotency_key(call.headers.get("idempotency-key"))
    return NewJob(
        id=batch_id,
        tenant_id=call.tenant_id,
        kind=BATCH_KIND,
        version=1,
        queue=BATCH_QUEUE,
        priority=NORMAL_PRIORITY,
        max_attempts=1,
        command="",
        correlation_id=call.correlation_id,
        traceparent=call.trace.traceparent,
        idempotency_key=key,
        body_hash=None if key is None else await _fingerprint(call.body),
    )


async def _fingerprint(body: SubmitBatch) -> bytes:
    hashed = sha256(BATCH_KIND.encode() + b"\n" + _written(body.model_copy(update={"jobs": ()})))
    async for _, item in _in_turns(body.jobs):
        hashed.update(b"\n" + _written(item))
    return hashed.digest()


def _written(part: Model) -> bytes:
    return orjson.dumps(part.model_dump(mode="python", exclude_defaults=True), option=orjson.OPT_SORT_KEYS)


def _answer(batch_id: UUID, name: str, looked: Sequence[Looked], submissions: Sequence[Submission]) -> BatchAccepted:
    stored = iter(submissions)
    answers = tuple(
        one if isinstance(one, ItemAnswer) else _item_answer(next(stored), number) for number, one in enumerate(looked)
    )
    total = sum(one.outcome is ItemOutcome.ACCEPTED for one in answers)
    return BatchAccepted(id=batch_id, name=name, total=total, jobs=answers)


def _item_answer(submission: Submission, number: int) -> ItemAnswer:
    match submission:
        case Accepted(job_id):
            return ItemAnswer(outcome=ItemOutcome.ACCEPTED, job_id=job_id)
        case Repeated(job_id):
            return ItemAnswer(outcome=ItemOutcome.REPEATED, job_id=job_id)
        case KeyReused(job_id):
            pointer = pointer_to(["jobs", number, "idempotency_key"])
            flaw = FieldProblem(pointer=pointer, detail="was used before with another command")
            return ItemAnswer(outcome=ItemOutcome.KEY_REUSED, job_id=job_id, errors=(flaw,))


def _accepted(answer: BatchAccepted, *headers: Header) -> Answer:
    return json_answer(202, answer, (b"location", f"/api/batches/{answer.id}".encode()), *headers)


async def _first_answer(call: Call[SubmitBatch, Empty], batch_id: UUID) -> BatchAccepted:
    told = await call.db.run(batches.told_of, batch_id)
    if told is None:
        # The idempotency key exists but its batch doesn't: only a manual deletion does that.
        raise problems.not_found("batch")
    return BatchAccepted.model_validate(told)


async def show_batch(call: Call[Empty, Empty]) -> Answer:
    """The batch's current state; with `Prefer: wait`, once it has finished or the time is up."""
    batch_id = call.path_id("id", "batch")
    seconds = wanted_seconds(call.headers)
    if seconds is not None:
        await until_finished(call.ingress, call.principal, batch_id, seconds)
    headers = () if seconds is None else (applied(seconds),)
    answer = json_answer(200, await _batch(call, batch_id), FRESH, *headers)
    return unless_known(answer, call.headers.get("if-none-match"))


async def cancel_batch(call: Call[Empty, Empty]) -> Answer:
    """Cancels the batch and its unfinished jobs. Repeating it is safe."""
    batch_id = call.path_id("id", "batch")
    await _batch(call, batch_id)
    await end_job(call, batch_id)
    return json_answer(200, await _batch(call, batch_id))


async def _batch(call: Call[Empty, Empty], batch_id: UUID) -> Batch:
    found = await call.db.run(batches.batch, batch_id)
    if found is None:
        raise problems.not_found("batch")
    return found


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/jobs/batch",
        summary="Submit many commands",
        description=(
            "The valid commands are stored in one transaction: 202 gives the outcome of each and the batch's id. With "
            "`atomic`, one invalid command rejects all; so does a body without any valid one. Each kind needs the same "
            "scope as at its own endpoint. With an `Idempotency-Key` a repeat gets the first response."
        ),
        handle=submit_batch,
        body=SubmitBatch,
        answers={202: BatchAccepted},
        scope=Scope.JOBS_WRITE,
        headers=("idempotency-key",),
        problems=(422,),
        many=True,
    ),
    Endpoint(
        method="GET",
        path="/api/batches/{id}",
        summary="Show a batch",
        description=(
            "The number of its jobs in each state; `GET /api/jobs?batch_id=` lists them. `Prefer: wait=N` answers "
            "when all have ended, after N seconds at the latest."
        ),
        handle=show_batch,
        answers={200: Batch},
        scope=Scope.JOBS_READ,
        headers=("prefer", "if-none-match"),
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/batches/{id}/cancel",
        while_suspended=True,
        summary="Cancel a batch",
        description="Every job of it that hasn't ended is cancelled. Repeating it is safe.",
        handle=cancel_batch,
        answers={200: Batch},
        scope=Scope.JOBS_WRITE,
        problems=(404, 409),
    ),
)
