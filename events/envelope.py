"""The envelope of every event: CloudEvents 1.0 in JSON format (https://github.com/cloudevents/spec)."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

import orjson

from schemas.bounds import MAX_STORED_LEVELS, too_deep
from schemas.model import Model
from schemas.problems import UNREADABLE

_UNREADABLE = f'{{"problem":{UNREADABLE.model_dump_json(exclude_defaults=True)}}}'


class DomainEvent(Model):
    """The base of handler results: what happened, in the past tense. Stored as the job's result and published when it ends."""

    type: ClassVar[str]


class CloudEvent(Model):
    """An event as subscribers get it. `id` is unique within its source, so receivers can deduplicate by it."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any] | None = None
    traceparent: str | None = None


def event_id(job_id: UUID, seq: int) -> str:
    return f"{job_id}:{seq}"


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


def job_source(job_id: UUID) -> str:
    return f"/api/jobs/{job_id}"
