"""Looks at each command of a batch: whether it is valid, whether its sender may send it, and what it becomes."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from api.auth.command_permissions import admitted
from api.document_references import pinned_all
from api.endpoint import Call, Empty
from api.http import problems
from api.http.request_body import pointer_to
from api.routes.commands import DEADLINE_PASSED, HALF_A_CAP, deadline_passed, half_of_a_cap
from infrastructure.postgres.jobs.submission import NewJob
from producers.submission.submitter import JobOptions, concurrency, new_job
from schemas.batches import BatchItem, ItemAnswer, ItemOutcome, SubmitBatch
from schemas.bounds import OutOfBounds
from schemas.commands import Command
from schemas.problems import FieldProblem

MAX_ERRORS_OF_AN_ITEM = 5
TURN_SECONDS = 0.01
"""How long validation runs before other requests get a turn on the event loop."""

Looked = NewJob | ItemAnswer
"""A validated item: the job to store, or the answer that says why not."""
Place = list[str | int]


async def look_at_all(call: Call[SubmitBatch, Empty], batch_id: UUID) -> list[Looked]:
    """Each item in its order."""
    checked: list[Command | ItemAnswer] = []
    async for number, item in in_turns(call.body.jobs):
        checked.append(_check(call, number, item))
    pins = iter(await _pinned(call, checked))
    looked: list[Looked] = []
    async for number, item in in_turns(call.body.jobs):
        one = checked[number]
        looked.append(one if isinstance(one, ItemAnswer) else _look_at(call, batch_id, number, item, one, next(pins)))
    return looked


async def _pinned(
    call: Call[SubmitBatch, Empty], checked: Sequence[Command | ItemAnswer]
) -> list[Command | problems.Refusal]:
    """The commands among them with the versions of their documents, or why not."""
    commands = [(number, one) for number, one in enumerate(checked) if isinstance(one, Command)]
    return await pinned_all(call, [one for _, one in commands], [["jobs", number, "command"] for number, _ in commands])


async def in_turns(items: Sequence[BatchItem]) -> AsyncIterator[tuple[int, BatchItem]]:
    """The items with their numbers. Yields to the event loop every TURN_SECONDS, so a large batch doesn't block others."""
    began = time.monotonic()
    for number, item in enumerate(items):
        if time.monotonic() - began > TURN_SECONDS:
            await asyncio.sleep(0)
            began = time.monotonic()
        yield number, item


def _check(call: Call[SubmitBatch, Empty], number: int, item: BatchItem) -> Command | ItemAnswer:
    place: Place = ["jobs", number]
    if flaws := _flaws_of(item, place, call.ingress.clock.now()):
        return ItemAnswer(outcome=ItemOutcome.INVALID, errors=flaws)
    try:
        return admitted(call.principal, item.kind, item.command, place)
    except problems.Refusal as refusal:
        return _item_refused(refusal, place)


def _item_refused(refusal: problems.Refusal, place: Place) -> ItemAnswer:
    problem = refusal.problem
    outcome = ItemOutcome.FORBIDDEN if problem.status == 403 else ItemOutcome.INVALID
    errors = problem.errors[:MAX_ERRORS_OF_AN_ITEM]
    return ItemAnswer(
        outcome=outcome, errors=errors or (FieldProblem(pointer=pointer_to(place), detail=problem.detail),)
    )


def _look_at(
    call: Call[SubmitBatch, Empty],
    batch_id: UUID,
    number: int,
    item: BatchItem,
    sent: Command,
    command: Command | problems.Refusal,
) -> Looked:
    place: Place = ["jobs", number]
    if isinstance(command, problems.Refusal):
        return _item_refused(command, place)
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
        sent=sent,
    )
    try:
        return new_job(call.tenant_id, command, options)
    except OutOfBounds as error:
        flaw = FieldProblem(pointer=pointer_to([*place, "command"]), detail=str(error))
        return ItemAnswer(outcome=ItemOutcome.INVALID, errors=(flaw,))


def _flaws_of(item: BatchItem, place: Place, now: datetime) -> tuple[FieldProblem, ...]:
    """Errors that involve more than one field."""
    flaws: list[FieldProblem] = []
    if deadline_passed(item.run_at, item.deadline, now):
        flaws.append(FieldProblem(pointer=pointer_to([*place, "deadline"]), detail=DEADLINE_PASSED))
    if missing := half_of_a_cap(item.concurrency_key, item.concurrency_limit):
        flaws.append(FieldProblem(pointer=pointer_to([*place, missing]), detail=HALF_A_CAP))
    return tuple(flaws)
