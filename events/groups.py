"""Events as delivered to members of a consumer group."""

from events.envelope import CloudEvent
from schemas.model import Model


class GroupEvent(Model):
    receipt: str
    """Acknowledges this delivery; valid until the event is leased to another member."""
    deliveries: int
    """The number of deliveries, this one included."""
    event: CloudEvent


class GroupEvents(Model):
    """Leased events. A job's events are delivered in order, and never to two members at a time."""

    events: tuple[GroupEvent, ...]
