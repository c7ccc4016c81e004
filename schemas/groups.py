"""Consumer groups: several members of one service that share its events."""

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
    """Which types of event the group gets, such as `search.*`."""


class Group(Model):
    name: str
    types: tuple[str, ...]
    created_at: datetime
    held: int
    """Events it has taken up and nobody has acknowledged, those that members have and parked ones included."""
    leased: int
    """Those that a member has now."""
    parked: int
    """Those that were given out 20 times and never acknowledged."""


class Groups(Model):
    groups: tuple[Group, ...]


class TakeEvents(Model):
    most: Annotated[int, Field(ge=1, le=MAX_TAKEN)] = 20
    lease_seconds: Annotated[float, Field(ge=1, le=MAX_LEASE_SECONDS)] = 60.0
    """For so long the events are the taker's own. What isn't acknowledged by then is given out again."""


class AcknowledgeEvents(Model):
    receipts: Annotated[tuple[Receipt, ...], Field(min_length=1, max_length=MAX_TAKEN)]


class Acknowledged(Model):
    events: int
    """How many this acknowledged. The others were before, or have been given to somebody else."""


class Released(Model):
    events: int
    """How many parked events are given out again."""
