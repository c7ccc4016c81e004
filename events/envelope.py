"""The envelope of every event: CloudEvents 1.0 in JSON format (https://github.com/cloudevents/spec)."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from schemas.model import Model


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


def job_source(job_id: UUID) -> str:
    return f"/api/jobs/{job_id}"
