"""The envelope of every event: CloudEvents 1.0 in JSON format (https://github.com/cloudevents/spec)."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from schemas.commands import Command
from schemas.model import Model

Commands = tuple[type[Command], ...]


class DomainEvent(Model):
    """The base of handler results: what happened, in the past tense. Stored as the job's result and published when it ends.

        class DocumentTranslated(DomainEvent):
            type: ClassVar[str] = "ai.document_translated"
            result_of: ClassVar[Commands] = (TranslateDocument,)

            text: str

    Its docstring is what AsyncAPI says about it: when it fires, and what it doesn't mean.
    """

    type: ClassVar[str]
    result_of: ClassVar[Commands] = ()
    """The commands whose jobs may end with it. The events of a package that `BUCATINI_JOBS` names leave it to their
    functions' annotations."""


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
