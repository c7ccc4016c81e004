# Generated from asynchronous/groups.py by `python -m producers.packaging`: edit that one.
"""Consumer groups: events shared among the members of a service, each acknowledged by one of them."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from events.envelope import CloudEvent
from events.groups import GroupEvent, GroupEvents
from producers.client.blocking.ports import Caller
from producers.client.exchange import MAX_POLL_SECONDS
from producers.client.requests import delete, get, path, post, put
from schemas.groups import Acknowledged, AcknowledgeEvents, Group, GroupRequest, Released, TakeEvents
from schemas.groups import Groups as GroupList

TAKEN: Final = 20
LEASE_SECONDS: Final = 60.0
PARKED: Final = 50


class Groups:
    """Your consumer groups. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def subscribe(
        self, types: str | Sequence[str], *, group: str, limit: int = TAKEN, lease_seconds: float = LEASE_SECONDS
    ) -> "Iterator[GroupDelivery]":
        """The group's events of these types (`search.*`) from when it was first made, without end: each to one member at
        a time, and again to another when it isn't acknowledged within the lease. A job's events come in their order."""
        self.put(group, types)
        while True:
            given = self.take(group, limit, lease_seconds, wait_seconds=MAX_POLL_SECONDS)
            # Not since it was asked for: the answer may have waited longer for its events than their lease lasts.
            given_at = time.monotonic()
            for one in given:
                if time.monotonic() - given_at >= lease_seconds:
                    break  # The rest is somebody else's by now.
                yield GroupDelivery(self, group, one)

    def list(self) -> tuple[Group, ...]:
        return self._client.ask(GroupList, get(path("groups"))).groups

    def get(self, group: str) -> Group:
        return self._client.ask(Group, get(path("groups", group)))

    def put(self, group: str, types: str | Sequence[str]) -> Group:
        """The group with these types of event, made if it isn't there."""
        wanted = GroupRequest(types=(types,) if isinstance(types, str) else tuple(types))
        return self._client.ask(Group, put(path("groups", group), wanted))

    def delete(self, group: str) -> None:
        """With what it holds."""
        self._client.send(delete(path("groups", group)))

    def take(
        self, group: str, limit: int = TAKEN, lease_seconds: float = LEASE_SECONDS, *, wait_seconds: int = 0
    ) -> tuple[GroupEvent, ...]:
        """What comes next; nothing when nothing came within the wait. Events of an answer that was lost come again
        later."""
        wanted = TakeEvents(most=limit, lease_seconds=lease_seconds)
        request = post(path("groups", group, "take"), wanted, wait_seconds=wait_seconds)
        return self._client.ask(GroupEvents, request).events

    def acknowledge(self, group: str, receipts: Sequence[str]) -> int:
        """How many this acknowledged. The others were before, or their lease had run out."""
        body = AcknowledgeEvents(receipts=tuple(receipts))
        return self._client.ask(Acknowledged, post(path("groups", group, "ack"), body)).events

    def parked(self, group: str, limit: int = PARKED) -> tuple[GroupEvent, ...]:
        """Events that were given out 20 times and never acknowledged."""
        return self._client.ask(GroupEvents, get(path("groups", group, "parked"), {"limit": limit})).events

    def release_parked(self, group: str) -> int:
        """How many parked events will be given out again."""
        return self._client.ask(Released, post(path("groups", group, "release-parked"))).events


class GroupDelivery:
    """An event that is yours until you acknowledge it or its lease runs out."""

    def __init__(self, groups: Groups, group: str, given: GroupEvent) -> None:
        self._groups = groups
        self._group = group
        self._receipt = given.receipt
        self.event: CloudEvent = given.event
        self.deliveries = given.deliveries
        """How often it has been given out, this time included: above 1, somebody may have done the work already."""

    def ack(self) -> bool:
        """It is done, and never given out again. False when its lease had run out and somebody else has it now."""
        return self._groups.acknowledge(self._group, [self._receipt]) > 0
