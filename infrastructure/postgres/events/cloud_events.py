"""Stored events as the JSON that goes out, written without parsing what is stored."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import orjson

from events.envelope import event_id, job_source
from schemas.bounds import MAX_STORED_LEVELS, too_deep
from schemas.problems import UNREADABLE

_UNREADABLE = f'{{"problem":{UNREADABLE.model_dump_json(exclude_defaults=True)}}}'


def cloud_event_json(job_id: UUID, seq: int, kind: str, at: datetime, data: str | None) -> bytes:
    """A stored event as CloudEvent JSON, without parsing its stored data (JSON text). Data that is too deep for readers is
    replaced by a problem."""
    if data is not None and too_deep(data, MAX_STORED_LEVELS):
        data = _UNREADABLE
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id(job_id, seq),
            "source": job_source(job_id),
            "type": kind,
            "subject": str(job_id),
            "time": at,
            "datacontenttype": "application/json",
            **({} if data is None else {"data": orjson.Fragment(data)}),
        },
        option=orjson.OPT_UTC_Z,
    )


def group_events_json(given: Iterable[tuple[str, int, bytes]]) -> bytes:
    """The JSON of `GroupEvents` from (receipt, deliveries, CloudEvent JSON), without parsing the events."""
    events = [
        {"receipt": receipt, "deliveries": deliveries, "event": orjson.Fragment(event)}
        for receipt, deliveries, event in given
    ]
    return orjson.dumps({"events": events})
