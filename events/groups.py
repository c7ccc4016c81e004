"""Events as a consumer group's members get them."""

from collections.abc import Iterable

import orjson

from events.envelope import CloudEvent
from schemas.model import Model


class GroupEvent(Model):
    receipt: str
    """Acknowledges this event, as long as nobody else has been given it."""
    deliveries: int
    """How often it has been given out, this time included."""
    event: CloudEvent


class GroupEvents(Model):
    """A job's events come in their order and are never with two members at a time."""

    events: tuple[GroupEvent, ...]


def group_events_json(given: Iterable[tuple[str, int, bytes]]) -> bytes:
    """(receipt, deliveries, CloudEvent's JSON) as `GroupEvents` writes itself, without parsing the events again."""
    events = [
        {"receipt": receipt, "deliveries": deliveries, "event": orjson.Fragment(event)}
        for receipt, deliveries, event in given
    ]
    return orjson.dumps({"events": events})
