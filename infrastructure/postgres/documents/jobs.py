"""The jobs that documents are stored, changed and deleted with, in one transaction, and what their timelines say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from events.documents import DocumentVersionAdded
from infrastructure.celery.message import JobRef
from infrastructure.postgres.jobs import submission
from infrastructure.postgres.jobs.submission import NewJob
from infrastructure.postgres.session import Connection
from schemas.commands import Command
from schemas.documents import DocumentRef, ImportDocument, RemoveDocument
from schemas.search import IndexDocument

NORMAL_PRIORITY = 5
NO_KEYS = 0

_SAY_ADDED = f"""
WITH u AS (
  UPDATE jobs j SET seq = j.seq + 1 FROM unnest(%s::uuid[], %s::text[]) AS s (job_id, data)
  WHERE j.id = s.job_id RETURNING j.id, j.tenant_id, j.seq, s.data)
INSERT INTO job_events (job_id, seq, tenant_id, type, data)
SELECT id, seq, tenant_id, '{DocumentVersionAdded.type}', data::jsonb FROM u
"""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a request says about the jobs that it makes."""

    priority: int = NORMAL_PRIORITY
    correlation_id: UUID | None = None
    traceparent: str | None = None
    parent_id: UUID | None = None
    """The batch that waits for them."""


ORDINARY = ImportOptions()


def import_job(
    job_id: UUID, tenant_id: UUID, document_id: str, version: int, profile: str, options: ImportOptions
) -> NewJob:
    command = ImportDocument(document=DocumentRef(id=document_id, version=version), profile=profile)
    return command_job(job_id, tenant_id, command, options)


def indexing_job(job_id: UUID, tenant_id: UUID, document_id: str, version: int, options: ImportOptions) -> NewJob:
    return command_job(job_id, tenant_id, IndexDocument(document=DocumentRef(id=document_id, version=version)), options)


def removal_job(job_id: UUID, tenant_id: UUID, document_id: str, version: int, options: ImportOptions) -> NewJob:
    return command_job(
        job_id, tenant_id, RemoveDocument(document=DocumentRef(id=document_id, version=version)), options
    )


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job to ring for after the commit (`Submitter.ring_stored`)."""

    ref: JobRef
    capped: bool
    """Whether it waits for a concurrency limit, and needs to be admitted first."""


async def store_jobs(connection: Connection, jobs: Sequence[NewJob], *, ring_again_seconds: float) -> list[StoredJob]:
    """Stores the jobs, without idempotency keys, in the transaction of what they are about."""
    stored = await submission.store(connection, jobs, ring_again_seconds=ring_again_seconds, idempotency_hours=NO_KEYS)
    return [
        StoredJob(
            JobRef(job.id, job.tenant_id, job.kind, job.queue, job.priority),
            capped=isinstance(one, submission.Accepted) and one.capped,
        )
        for job, one in zip(jobs, stored, strict=True)
    ]


async def say_added(connection: Connection, added: Mapping[UUID, DocumentVersionAdded]) -> None:
    """Has the timelines of these jobs, which import the versions, say that they were added. Call it in the transaction that
    stores the jobs: nobody else can change them meanwhile."""
    if added:
        await connection.execute(_SAY_ADDED, (list(added), [event.model_dump_json() for event in added.values()]))


def command_job(job_id: UUID, tenant_id: UUID, command: Command, options: ImportOptions) -> NewJob:
    return NewJob(
        id=job_id,
        tenant_id=tenant_id,
        kind=command.kind,
        version=command.version,
        queue=command.queue,
        priority=options.priority,
        max_attempts=command.max_attempts,
        command=command.model_dump_json(),
        correlation_id=options.correlation_id,
        traceparent=options.traceparent,
        parent_id=options.parent_id,
    )
