"""Lists, creates and removes a tenant's holds. Holds made by an operator are listed but can't be changed here."""

import logging
from uuid import UUID

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, NoBody, json_answer
from infrastructure.postgres.jobs import holds
from infrastructure.postgres.session import Connection
from infrastructure.redis.client import FAULTS
from infrastructure.redis.pubsub import Channel, announce
from schemas.catalogue import COMMANDS, queues
from schemas.holds import Hold, Holds, NewHold
from schemas.problems import FieldProblem

logger = logging.getLogger(__name__)


async def list_holds(call: Call[Empty, Empty]) -> Answer:
    found = await call.db.run(holds.listed_for)
    return json_answer(200, Holds(holds=tuple(found)))


async def make_hold(call: Call[NewHold, Empty]) -> Answer:
    """201 with the hold. Repeating it is safe: an identical hold is returned, not created again."""
    wanted, tenant_id = call.body, call.tenant_id
    if wanted.kind is not None and wanted.kind not in COMMANDS:
        detail = f"there is no such kind; known are {', '.join(COMMANDS)}"
        raise problems.invalid_fields([FieldProblem(pointer="/kind", detail=detail)])
    if wanted.queue is not None and wanted.queue not in queues():
        detail = f"there is no such queue; known are {', '.join(queues())}"
        raise problems.invalid_fields([FieldProblem(pointer="/queue", detail=detail)])

    async def add(connection: Connection) -> Hold:
        return await holds.add(connection, wanted, tenant_id, f"key {call.principal.key_id}")

    hold = await call.db.transaction(add)
    await _announce(call)
    return json_answer(201, hold)


async def remove_hold(call: Call[Empty, Empty]) -> Answer:
    hold_id: UUID = call.path_id("id", "hold")
    tenant_id = call.tenant_id
    removed = await call.db.transaction(lambda connection: holds.remove(connection, hold_id, tenant_id=tenant_id))
    if not removed:
        raise problems.not_found("hold")
    await _announce(call)
    return Answer(204)


async def _announce(call: Call[NewHold, Empty] | Call[Empty, Empty]) -> None:
    try:
        await announce(call.ingress.redis, Channel.RULES, [])
    except FAULTS:
        logger.warning("hold change not announced: Redis can't be reached; workers will see it when they next poll")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/holds",
        summary="List holds",
        description="The tenant's own, and those that an operator made for every tenant (`tenant_id` is null).",
        handle=list_holds,
        answers={200: Holds},
        scope=Scope.ADMIN,
    ),
    Endpoint(
        method="POST",
        path="/api/holds",
        summary="Pause or kill jobs",
        description=(
            "The tenant's jobs that match every given field wait until the hold is removed; with the action `kill` they "
            "are cancelled when they would have started. Running jobs go on. An identical hold is returned, not made "
            "twice."
        ),
        handle=make_hold,
        body=NewHold,
        answers={201: Hold},
        scope=Scope.ADMIN,
        problems=(409,),
    ),
    Endpoint(
        method="DELETE",
        path="/api/holds/{id}",
        summary="Remove a hold",
        description="The jobs it held are queued again.",
        handle=remove_hold,
        answers={204: NoBody()},
        scope=Scope.ADMIN,
        problems=(404,),
    ),
)
