"""Accepts versions of documents, each with the job that imports it, in one transaction.

    outcome = await call.orm.run(acceptance.accept, uploaded, precondition, ring_again_seconds=…, idempotency_hours=…)

Count its job against the tenant's queued jobs before (`Call.admit_jobs`), and ring after the commit
(`Submitter.ring_stored`). Unless the outcome is `Accepted`, the original's object belongs to nobody: delete it.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from events.documents import DocumentVersionAdded
from infrastructure.postgres.documents import queries, rows
from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from infrastructure.postgres.documents.jobs import (
    ORDINARY,
    ImportOptions,
    StoredJob,
    import_job,
    indexing_job,
    say_added,
    store_jobs,
)
from infrastructure.postgres.documents.rows import NewVersion
from infrastructure.postgres.documents.uploads import Add, UploadedVersion, decide_all
from infrastructure.postgres.jobs import queries as job_queries
from infrastructure.postgres.jobs import submission
from infrastructure.postgres.jobs.batches import NewBatch, store_batch_job
from infrastructure.postgres.jobs.submission import KeyReused, take_keys
from infrastructure.postgres.keys.active_key import hold_active_key
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.quotas import check_active
from infrastructure.postgres.tenants.sessions import TenantSession
from infrastructure.postgres.tenants.usage import Amount
from schemas.documents import Document, ImportDocument
from schemas.jobs import Job

NEW = "new"
"""In place of an id that isn't made yet."""


@dataclass(frozen=True, slots=True)
class VersionJobs:
    """The jobs that were stored with a version."""

    importing: StoredJob
    indexing: StoredJob | None = None
    """The one by which an index learns what is said about the document now, whether the version can be read or not."""

    @property
    def stored(self) -> list[StoredJob]:
        return [job for job in (self.importing, self.indexing) if job is not None]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The version is stored, once the transaction commits, and its job imports it."""

    document: Document
    job: Job
    jobs: VersionJobs


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The newest version has this content, and the document is described like this already. Nothing was stored."""

    document: Document


@dataclass(frozen=True, slots=True)
class Repeated:
    """The idempotency key was used before for the same request, which made this job."""

    document: Document | None
    """As it stands now; None: it is gone."""
    job: Job | None


@dataclass(frozen=True, slots=True)
class PreconditionFailed:
    """Nothing was stored: the document isn't what the request says it must be."""

    document: Document | None


@dataclass(frozen=True, slots=True)
class StaleKey:
    """Nothing was stored: the tenant's key was changed since something was sealed. Forget the active key
    (`Sealer.forget_active`), seal again, and call again."""


Acceptance = Accepted | Unchanged | Repeated | KeyReused | PreconditionFailed | StaleKey


@dataclass(frozen=True, slots=True)
class VersionAdded:
    document_id: str
    version: int
    jobs: VersionJobs


@dataclass(frozen=True, slots=True)
class VersionKept:
    """The document's newest version has this content already."""

    document_id: str
    version: int


@dataclass(frozen=True, slots=True)
class AcceptedAll:
    """What became of each version of a batch, in order."""

    outcomes: tuple[VersionAdded | VersionKept, ...]

    @property
    def stored(self) -> list[StoredJob]:
        return [job for one in self.outcomes if isinstance(one, VersionAdded) for job in one.jobs.stored]


async def accept(
    session: TenantSession,
    tenant_id: UUID,
    uploaded: UploadedVersion,
    precondition: Precondition = UNCONDITIONAL,
    *,
    options: ImportOptions = ORDINARY,
    ring_again_seconds: float,
    idempotency_hours: int,
) -> Acceptance:
    """Accepts one version. Of concurrent calls for one document each sees what the one before it left.

    Raises QuotaExceeded and TenantSuspended; then nothing is stored. Safe to repeat with an idempotency key.
    """
    connection = session.driver
    await check_active(connection, tenant_id)
    if not await hold_active_key(connection, tenant_id, uploaded.seals):
        return StaleKey()
    job_id = uuid7()
    outcome: VersionAdded | VersionKept | None = None
    async with connection.transaction():
        before = await _key_taken(connection, tenant_id, uploaded, job_id, idempotency_hours)
        if before is not None:
            return await _as_before(session, tenant_id, before)
        outcomes = await _store(connection, tenant_id, [uploaded], [job_id], precondition, options, ring_again_seconds)
        outcome = outcomes[0] if outcomes else None
        if not isinstance(outcome, VersionAdded):
            raise psycopg.Rollback
    return await _with_document(session, tenant_id, uploaded, outcome)


async def accept_all(
    session: TenantSession,
    tenant_id: UUID,
    uploaded: Sequence[UploadedVersion],
    *,
    batch: NewBatch | None = None,
    tell: Callable[[Sequence[VersionAdded | VersionKept]], str] | None = None,
    options: ImportOptions = ORDINARY,
    ring_again_seconds: float,
    idempotency_hours: int,
) -> AcceptedAll | Repeated | KeyReused | StaleKey:
    """Accepts all of the versions, or none; with the batch whose jobs they are, if one is given. Several versions of one
    document get their numbers in order. The versions' own idempotency keys aren't used, but the batch's is. `tell` makes the
    batch's command from all outcomes, instead of `NewBatch.tell`, which is given the added ones' jobs only.

    Raises as `accept`.
    """
    connection = session.driver
    await check_active(connection, tenant_id)
    if not await hold_active_key(connection, tenant_id, [seal for one in uploaded for seal in one.seals]):
        return StaleKey()
    if batch is not None and batch.job.idempotency_key is not None:
        (before,) = await take_keys(connection, [batch.job], idempotency_hours=idempotency_hours)
        if not isinstance(before, submission.Accepted):
            return await _as_before(session, tenant_id, before)
    options = options if batch is None else replace(options, parent_id=batch.job.id)
    job_ids = [uuid7() for _ in uploaded]
    outcomes = await _store(connection, tenant_id, uploaded, job_ids, UNCONDITIONAL, options, ring_again_seconds)
    if batch is not None:
        added = [
            submission.Accepted(one.jobs.importing.ref.job_id) for one in outcomes if isinstance(one, VersionAdded)
        ]
        told = batch if tell is None else replace(batch, tell=lambda _: tell(outcomes))
        await store_batch_job(connection, told, added)
    return AcceptedAll(tuple(outcomes))


async def _store(
    connection: Connection,
    tenant_id: UUID,
    uploaded: Sequence[UploadedVersion],
    job_ids: Sequence[UUID],
    precondition: Precondition,
    options: ImportOptions,
    ring_again_seconds: float,
) -> list[VersionAdded | VersionKept]:
    """What became of each; nothing when a document doesn't meet the precondition."""
    wanted = [
        NewVersion(one.document_id or str(uuid7()), 1, job_id, one)
        for one, job_id in zip(uploaded, job_ids, strict=True)
    ]
    first = {one.document_id: one for one in reversed(wanted)}
    fresh = await rows.add_or_lock(connection, tenant_id, list(first.values()))
    documents = await rows.standing(connection, tenant_id, sorted(first.keys() - fresh))
    decisions = decide_all([(one.document_id, one.uploaded) for one in wanted], documents, precondition)
    if decisions is None:
        return []
    decided = list(zip(wanted, decisions, strict=True))
    added = [replace(one, version=what.version) for one, what in decided if isinstance(what, Add)]
    stored: dict[UUID, VersionJobs] = {}
    if added:
        stored = await _store_added(connection, tenant_id, added, fresh, options, ring_again_seconds)
        others = sum(isinstance(what, Add) and what.is_another for what in decisions)
        kept_bytes = sum(one.uploaded.stored_bytes for one in added)
        await usage.change(connection, tenant_id, {Amount.DOCUMENTS: others, Amount.STORED_BYTES: kept_bytes})
    return [
        VersionAdded(one.document_id, what.version, stored[one.job_id])
        if isinstance(what, Add)
        else VersionKept(one.document_id, what.version)
        for one, what in decided
    ]


async def _store_added(
    connection: Connection,
    tenant_id: UUID,
    added: Sequence[NewVersion],
    fresh: AbstractSet[str],
    options: ImportOptions,
    ring_again_seconds: float,
) -> dict[UUID, VersionJobs]:
    """Stores the versions with their jobs, and returns those by the importing one's id."""
    await rows.add_versions(connection, tenant_id, added)
    newest = list({one.document_id: one for one in added}.values())
    # A document that was just added says already what its first version says.
    described_before = [one for one in newest if one.document_id not in fresh or one.version > 1]
    stale = await rows.restate(connection, tenant_id, described_before)
    imports = [
        import_job(one.job_id, tenant_id, one.document_id, one.version, one.uploaded.profile, options) for one in added
    ]
    indexing = [
        indexing_job(uuid7(), tenant_id, document_id, version, replace(options, parent_id=None))
        for document_id, version in stale.items()
    ]
    stored = await store_jobs(connection, imports + indexing, ring_again_seconds=ring_again_seconds)
    later = [one for one in added if one.version > 1]
    await say_added(
        connection,
        {one.job_id: DocumentVersionAdded(document_id=one.document_id, version=one.version) for one in later},
    )
    described_anew = dict(zip(stale, stored[len(imports) :], strict=True))
    newest_job = {one.job_id: described_anew.get(one.document_id) for one in newest}
    return {one.ref.job_id: VersionJobs(one, newest_job.get(one.ref.job_id)) for one in stored[: len(imports)]}


async def _key_taken(
    connection: Connection, tenant_id: UUID, uploaded: UploadedVersion, job_id: UUID, idempotency_hours: int
) -> submission.Repeated | KeyReused | None:
    """Takes the idempotency key for the job; what it was taken for before, if it was."""
    if uploaded.idempotency_key is None:
        return None
    taker = import_job(job_id, tenant_id, uploaded.document_id or NEW, 1, uploaded.profile, ORDINARY)
    keyed = replace(taker, idempotency_key=uploaded.idempotency_key, body_hash=uploaded.fingerprint)
    (taken,) = await take_keys(connection, [keyed], idempotency_hours=idempotency_hours)
    return None if isinstance(taken, submission.Accepted) else taken


async def _as_before(
    session: TenantSession, tenant_id: UUID, before: submission.Repeated | KeyReused
) -> Repeated | KeyReused:
    if isinstance(before, KeyReused):
        return before
    job = await job_queries.job(session.driver, tenant_id, before.job_id)
    given = await job_queries.command(session.driver, tenant_id, before.job_id)
    if given is None or given.command is None or given.kind != ImportDocument.kind:
        return Repeated(None, job)
    return Repeated(await queries.document(session, tenant_id, given.command["document"]["id"]), job)


async def _with_document(
    session: TenantSession, tenant_id: UUID, uploaded: UploadedVersion, outcome: VersionAdded | VersionKept | None
) -> Accepted | Unchanged | PreconditionFailed:
    document_id = uploaded.document_id if outcome is None else outcome.document_id
    document = None if document_id is None else await queries.document(session, tenant_id, document_id)
    if outcome is None:
        return PreconditionFailed(document)
    assert document is not None, "its row is locked"
    if isinstance(outcome, VersionKept):
        return Unchanged(document)
    job = await job_queries.job(session.driver, tenant_id, outcome.jobs.importing.ref.job_id)
    assert job is not None, "it was just stored"
    return Accepted(document, job, outcome.jobs)
