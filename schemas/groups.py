"""Consumer groups: members of one service that share its events."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from schemas.event_patterns import EventPatterns
from schemas.model import Model

GROUP_NAME = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
MAX_TAKEN = 100
MAX_LEASE_SECONDS = 3_600.0

Receipt = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}:[0-9]{1,9}:[0-9a-f-]{36}$")]


class GroupRequest(Model):
    types: EventPatterns
    """Patterns of the event types that the group gets, such as `search.*`."""


class Group(Model):
    name: str
    types: tuple[str, ...]
    created_at: datetime
    held: int
    """Unacknowledged events, including leased and parked ones."""
    leased: int
    """Events leased to a member now."""
    parked: int
    """Events delivered 20 times and never acknowledged; they aren't delivered again until released."""


class Groups(Model):
    groups: tuple[Group, ...]


class TakeEvents(Model):
    most: Annotated[int, Field(ge=1, le=MAX_TAKEN)] = 20
    lease_seconds: Annotated[float, Field(ge=1, le=MAX_LEASE_SECONDS)] = 60.0
    """The lease. Events that aren't acknowledged in time are delivered again."""


class AcknowledgeEvents(Model):
    receipts: Annotated[tuple[Receipt, ...], Field(min_length=1, max_length=MAX_TAKEN)]


class Acknowledged(Model):
    events: int
    """How many this request acknowledged. The others were acknowledged before, or their lease went to another member."""


class Released(Model):
    events: int
    """How many parked events will be delivered again."""
