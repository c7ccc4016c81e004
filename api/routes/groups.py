"""Consumer groups over HTTP: members take events under a lease and acknowledge them."""

import re
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import Field

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import CACHE, Answer, Header, NoBody, json_answer
from api.streams.long_poll import POLL_SECONDS, applied, wanted_seconds
from api.streams.subscribers import Behind, Ended, Subscriber, TypedEvents
from events.groups import GroupEvents
from infrastructure.postgres.events import groups
from infrastructure.postgres.events.cloud_events import cloud_event_json, group_events_json
from infrastructure.postgres.events.feed import EventRow
from infrastructure.postgres.events.groups import Held, Taken
from infrastructure.postgres.session import Connection
from monitoring.metrics import outgoing as outgoing_metrics
from schemas.event_patterns import matches_any
from schemas.groups import (
    GROUP_NAME,
    Acknowledged,
    AcknowledgeEvents,
    Group,
    GroupRequest,
    Groups,
    Released,
    TakeEvents,
)
from schemas.model import Model

MAX_LISTED = 1_000
WHAT = "consumer group"

T = TypeVar("T")

_NAME = re.compile(GROUP_NAME.strip("^$"), re.ASCII)


class ParkedQuery(Model):
    limit: Annotated[int, Field(ge=1, le=200)] = 50


async def list_groups(call: Call[Empty, Empty]) -> Answer:
    found = await call.db.run(groups.listed, limit=MAX_LISTED)
    return json_answer(200, Groups(groups=tuple(found)))


async def show_group(call: Call[Empty, Empty]) -> Answer:
    name = _name(call)
    found = await call.db.run(groups.find, name)
    if found is None:
        raise problems.not_found(WHAT)
    return json_answer(200, found)


async def put_group(call: Call[GroupRequest, Empty]) -> Answer:
    name, tenant_id, types = _name(call), call.tenant_id, call.body.types

    async def put(connection: Connection) -> Group | None:
        await groups.put(connection, tenant_id, name, types)
        return await groups.find(connection, tenant_id, name)

    group = await call.db.transaction(put)
    assert group is not None, "the transaction has just put it"
    return json_answer(200, group)


async def remove_group(call: Call[Empty, Empty]) -> Answer:
    name = _name(call)
    if not await call.db.run(groups.remove, name):
        raise problems.not_found(WHAT)
    return Answer(204)


async def take_events(call: Call[TakeEvents, Empty]) -> Answer:
    """Leases events to the caller. With `Prefer: wait`, waits until there are some or the time is up."""
    seconds = wanted_seconds(call.headers)
    taken = await _take(call)
    headers: tuple[Header, ...] = ()
    if seconds is not None:
        headers = (applied(seconds),)
        taken = taken if taken.events else await _awaited(call, taken, time.monotonic() + seconds)
    return _events_answer(taken.events, *headers)


async def _take(call: Call[TakeEvents, Empty]) -> Taken:
    name, wanted = _name(call), call.body

    taken = await call.db.run(groups.take, name, most=wanted.most, lease_seconds=wanted.lease_seconds)
    if taken is None:
        raise problems.not_found(WHAT)
    again = sum(held.deliveries > 1 for held in taken.events)
    outgoing_metrics.group_events_given(len(taken.events) - again, again)
    return taken


async def _awaited(call: Call[TakeEvents, Empty], taken: Taken, deadline: float) -> Taken:
    # Only the wait has a timeout: an interrupted take would leave its events leased without a member.
    hub, credentials = call.ingress.hub, call.ingress.credentials
    async with hub.subscribe(call.tenant_id, TypedEvents()) as subscriber:
        with credentials.while_valid(call.principal, subscriber.end):
            while not taken.events and time.monotonic() < deadline:
                if not subscriber.live and await hub.join(subscriber) is None:
                    break
                # Checked before taking, so that a revoked key doesn't lease events away from valid ones.
                await credentials.recheck(call.principal)
                taken = await _take(call)
                if not taken.events and taken.at_end and not await _something_for(subscriber, taken.types, deadline):
                    break
    if not taken.events:
        await credentials.recheck(call.principal)
    return taken


async def _something_for(subscriber: Subscriber, types: tuple[str, ...], deadline: float) -> bool:
    """Waits for a reason to take again; False when the time is up or the subscriber has ended. An expired lease sends no
    event, so the wait is also interrupted every POLL_SECONDS."""
    look_at = min(deadline, time.monotonic() + POLL_SECONDS)
    while (left := look_at - time.monotonic()) > 0:
        match await subscriber.take(left):
            case Ended():
                return False
            case Behind():
                return True
            case taken:
                if any(matches_any(types, announced.type) for announced in taken):
                    return True
    return time.monotonic() < deadline


async def acknowledge_events(call: Call[AcknowledgeEvents, Empty]) -> Answer:
    receipts = [_read(receipt) for receipt in call.body.receipts]
    count = await _of_group(
        call, lambda connection, name: groups.acknowledge(connection, call.tenant_id, name, receipts)
    )
    outgoing_metrics.group_events_acknowledged(count)
    return json_answer(200, Acknowledged(events=count))


async def list_parked(call: Call[Empty, ParkedQuery]) -> Answer:
    limit = call.query.limit
    found = await _of_group(call, lambda connection, name: groups.parked(connection, call.tenant_id, name, limit=limit))
    return _events_answer(found)


async def release_parked(call: Call[Empty, Empty]) -> Answer:
    count = await _of_group(call, lambda connection, name: groups.release(connection, call.tenant_id, name))
    return json_answer(200, Released(events=count))


async def _of_group(call: Call[Any, Any], work: Callable[[Connection, str], Awaitable[T]]) -> T:
    """The result of `work` in one transaction. When it is empty, checks that the group exists, else raises a 404."""
    name = _name(call)

    async def of_group(connection: Connection) -> T:
        brought = await work(connection, name)
        if not brought and await groups.find(connection, call.tenant_id, name) is None:
            raise problems.not_found(WHAT)
        return brought

    return await call.db.transaction(of_group)


def _name(call: Call[Any, Any]) -> str:
    name = call.path["name"]
    if not _NAME.fullmatch(name):
        raise problems.not_found(WHAT)
    return name


def _read(receipt: str) -> tuple[UUID, int, UUID]:
    job_id, seq, lease = receipt.split(":")
    try:
        return UUID(job_id), int(seq), UUID(lease)
    except ValueError:
        raise problems.receipt_invalid() from None


def _events_answer(events: Iterable[Held], *headers: Header) -> Answer:
    body = group_events_json((held.receipt, held.deliveries, _json(held.row)) for held in events)
    return Answer(200, body, headers=((CACHE, b"no-store"), *headers))


def _json(row: EventRow) -> bytes:
    return cloud_event_json(row.job_id, row.seq, row.type, row.at, row.data)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/groups",
        summary="List consumer groups",
        handle=list_groups,
        answers={200: Groups},
        scope=Scope.EVENTS_CONSUME,
    ),
    Endpoint(
        method="GET",
        path="/api/groups/{name}",
        summary="Show a consumer group",
        description="With the number of its pending events.",
        handle=show_group,
        answers={200: Group},
        scope=Scope.EVENTS_CONSUME,
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path="/api/groups/{name}",
        while_suspended=True,
        summary="Make or change a consumer group",
        description="A new group gets events from now on. Repeating it is safe: an existing group keeps its "
        "position. A name has up to 64 of a-z, 0-9, `_`, `.` and `-`.",
        handle=put_group,
        body=GroupRequest,
        answers={200: Group},
        scope=Scope.EVENTS_CONSUME,
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="DELETE",
        path="/api/groups/{name}",
        summary="Remove a consumer group",
        description="With its pending events.",
        handle=remove_group,
        answers={204: NoBody()},
        scope=Scope.EVENTS_CONSUME,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/groups/{name}/take",
        while_suspended=True,
        summary="Take events",
        description="Leases events to the caller until it acknowledges them or the lease expires; then others get them, so "
        "delivery is at least once. `Prefer: wait=N` answers as soon as there are some.",
        handle=take_events,
        body=TakeEvents,
        answers={200: GroupEvents},
        scope=Scope.EVENTS_CONSUME,
        headers=("prefer",),
        problems=(404, 422),
    ),
    Endpoint(
        method="POST",
        path="/api/groups/{name}/ack",
        while_suspended=True,
        summary="Acknowledge events",
        description="They are not delivered again. Repeating it is safe.",
        handle=acknowledge_events,
        body=AcknowledgeEvents,
        answers={200: Acknowledged},
        scope=Scope.EVENTS_CONSUME,
        problems=(404, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/groups/{name}/parked",
        summary="List parked events",
        description=f"Delivered {groups.MAX_DELIVERIES} times and never acknowledged; the oldest first. Their receipts "
        "acknowledge them.",
        handle=list_parked,
        query=ParkedQuery,
        answers={200: GroupEvents},
        scope=Scope.EVENTS_CONSUME,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/groups/{name}/release-parked",
        summary="Deliver parked events again",
        handle=release_parked,
        answers={200: Released},
        scope=Scope.EVENTS_CONSUME,
        problems=(404,),
    ),
)
