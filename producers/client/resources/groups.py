"""Consumer groups as the client speaks of them, without a socket: see `producers.client.exchange`."""

from collections.abc import Generator, Sequence
from typing import Any

from events.envelope import CloudEvent
from events.groups import GroupEvent, GroupEvents
from producers.client.exchange import (
    JSON,
    LONGEST_POLL_SECONDS,
    Outcome,
    Request,
    Step,
    exchange,
)
from producers.client.ports import AsyncClient, Client
from schemas.groups import Acknowledged, AcknowledgeEvents, Group, GroupRequest, Groups, TakeEvents

TAKEN = 20
LEASE_SECONDS = 60.0


def joining(group: str, types: str | Sequence[str]) -> Generator[Step, Outcome, Group]:
    """The group, made if it isn't there."""
    wanted = GroupRequest(types=(types,) if isinstance(types, str) else tuple(types))
    reply = yield from exchange(Request("PUT", f"/api/groups/{group}", JSON, wanted.model_dump_json().encode()))
    return Group.model_validate_json(reply.body)


def taking(group: str, most: int, lease_seconds: float) -> Generator[Step, Outcome, tuple[GroupEvent, ...]]:
    """What comes next; nothing when nothing came for a while. Events of an answer that was lost come again later."""
    headers = {**JSON, "prefer": f"wait={LONGEST_POLL_SECONDS}"}
    body = TakeEvents(most=most, lease_seconds=lease_seconds).model_dump_json().encode()
    asked = Request("POST", f"/api/groups/{group}/take", headers, body, patience_seconds=LONGEST_POLL_SECONDS)
    reply = yield from exchange(asked)
    return GroupEvents.model_validate_json(reply.body).events


def acknowledging(group: str, receipts: Sequence[str]) -> Generator[Step, Outcome, int]:
    """How many this acknowledged."""
    body = AcknowledgeEvents(receipts=tuple(receipts)).model_dump_json().encode()
    reply = yield from exchange(Request("POST", f"/api/groups/{group}/ack", JSON, body))
    return Acknowledged.model_validate_json(reply.body).events


def listing() -> Generator[Step, Outcome, tuple[Group, ...]]:
    reply = yield from exchange(Request("GET", "/api/groups"))
    return Groups.model_validate_json(reply.body).groups


class _Given:
    """An event that is yours until you acknowledge it or its lease runs out."""

    def __init__(self, client: Any, group: str, given: GroupEvent) -> None:
        self._client = client
        self._group = group
        self._receipt = given.receipt
        self.event: CloudEvent = given.event
        self.deliveries = given.deliveries
        """How often it has been given out, this time included: above 1, somebody may have done the work already."""

    def _acknowledging(self) -> Generator[Step, Outcome, int]:
        return acknowledging(self._group, [self._receipt])


class GroupDelivery(_Given):
    def ack(self) -> bool:
        """It is done, and never given out again. False when its lease had run out and somebody else has it now."""
        client: Client = self._client
        return client.carry_out(self._acknowledging()) > 0


class AsyncGroupDelivery(_Given):
    async def ack(self) -> bool:
        """See `GroupDelivery.ack`."""
        client: AsyncClient = self._client
        return await client.carry_out(self._acknowledging()) > 0
