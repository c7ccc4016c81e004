"""Batches: submits many commands in one request, and shows or cancels the batch."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.conditional import unless_known
from api.http.request_body import pointer_to
from api.http.responses import Answer, Header, json_answer
from api.routes.batch_items import Looked, in_turns, look_at_all
from api.routes.commands import REPLAYED, idempotency_key
from api.routes.jobs import FRESH, end_job
from api.streams.long_poll import applied, until_finished, wanted_seconds
from infrastructure.postgres.jobs import batches
from infrastructure.postgres.jobs.batches import Kept, NewBatch, RefusedWhole
from infrastructure.postgres.jobs.submission import Accepted, KeyReused, NewJob, Repeated, Submission
from producers.submission.submitter import NORMAL_PRIORITY
from schemas.batches import (
    BATCH_KIND,
    BATCH_QUEUE,
    Batch,
    BatchAccepted,
    ItemAnswer,
    ItemOutcome,
    SubmitBatch,
)
from schemas.model import Model
from schemas.problems import FieldProblem

MAX_ERRORS = 50


async def submit_batch(call: Call[SubmitBatch, Empty]) -> Answer:
    """202 with the outcome of each command, once the accepted jobs are committed."""
    batch_id = uuid7()
    looked = await look_at_all(call, batch_id)
    jobs = [one for one in looked if isinstance(one, NewJob)]
    if not jobs or (call.body.atomic and len(jobs) < len(looked)):
        raise _refused(looked)
    await call.admit_jobs(len(jobs))

    def first_answer(submissions: Sequence[Submission]) -> str:
        return _answer(batch_id, call.body.name, looked, submissions).model_dump_json()

    fingerprint = await _fingerprint(call.body) if "idempotency-key" in call.headers else None
    outcome = await call.ingress.submitter.submit_batch(
        NewBatch(batch_job(call, batch_id, fingerprint), atomic=call.body.atomic, tell=first_answer), jobs
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


def _refused(looked: Sequence[Looked]) -> problems.Refusal:
    answers = [one for one in looked if isinstance(one, ItemAnswer)]
    if all(one.outcome is ItemOutcome.FORBIDDEN for one in answers):
        return problems.batch_forbidden([flaw for one in answers for flaw in one.errors][:MAX_ERRORS])
    return problems.invalid_fields([flaw for one in answers for flaw in one.errors][:MAX_ERRORS])


def batch_job(call: Call[Any, Any], batch_id: UUID, fingerprint: bytes | None) -> NewJob:
    """The job that stands for a batch. `fingerprint`: of what was sent, for a request with an idempotency key."""
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
        idempotency_key=idempotency_key(call.headers.get("idempotency-key")),
        body_hash=fingerprint,
    )


async def _fingerprint(body: SubmitBatch) -> bytes:
    hashed = sha256(BATCH_KIND.encode() + b"\n" + _written(body.model_copy(update={"jobs": ()})))
    async for _, item in in_turns(body.jobs):
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
