"""Many documents in one request: all are accepted, or none."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from api.endpoint import Call, Empty
from api.http import digests, document_problems, problems
from api.http.responses import Answer, Header, json_answer
from api.routes.batches import batch_job
from api.routes.commands import REPLAYED
from api.routes.documents.acceptance import MAX_TRIES, import_options
from api.routes.documents.fields import MAX_BATCH_FIELDS_BYTES, BatchFields, DocumentBatch, FormFields, UploadFields
from api.routes.documents.originals import Original, Originals, check_room, of_text, originals, sealed
from api.routes.documents.profiles import check_known
from api.routes.documents.uploads import write_part
from api.streams.long_poll import applied, until_finished, wanted_seconds
from api.uploads.body_stream import BodyStream
from api.uploads.media_types import boundary_of
from api.uploads.multipart import MultipartReader
from infrastructure.concurrency.batching import Overloaded
from infrastructure.ports import Unavailable
from infrastructure.postgres.documents import acceptance
from infrastructure.postgres.documents.acceptance import AcceptedAll, Repeated, StaleKey, VersionAdded, VersionKept
from infrastructure.postgres.documents.uploads import UploadedVersion
from infrastructure.postgres.jobs import batches
from infrastructure.postgres.jobs.batches import NewBatch
from infrastructure.postgres.jobs.submission import KeyReused
from schemas.batches import MAX_IN_A_BATCH
from schemas.documents import DocumentBatchAccepted, DocumentOfBatch, NewDocument

FILES = "files"
AS_JSON = frozenset({"documents"})
MAX_PARTS = MAX_IN_A_BATCH + 10
SEALED_IN_A_GO = 50
"""Before other requests get a turn on the event loop."""

AnyCall = Call[Any, Any]
Described = tuple[Original, UploadFields]


async def add_texts(call: Call[DocumentBatch, Empty]) -> Answer:
    described = [(of_text(one.text), _fields_of(one)) for one in call.body.documents]
    async with originals(call) as written:
        return await _accept_all(call, described, call.body.name, written)


async def add_files(call: Call[Empty, Empty], stream: BodyStream) -> Answer:
    expected = digests.announced(call.headers)
    await check_room(call, None)
    async with originals(call) as written:
        chunks = digests.checked(stream.chunks(), expected)
        form = MultipartReader(chunks, boundary_of(call.headers["content-type"]), max_parts=MAX_PARTS)
        described, name = await _form(form, written)
        await call.check_still_allowed()
        return await _accept_all(call, described, name, written)


async def _form(form: MultipartReader, written: Originals) -> tuple[list[Described], str]:
    fields = FormFields(BatchFields, AS_JSON, max_bytes=MAX_BATCH_FIELDS_BYTES)
    files: list[Original] = []
    async for part in form.parts():
        if part.name != FILES:
            fields.add(part.name, await form.text(part.name, fields.bytes_left))
        elif len(files) == MAX_IN_A_BATCH:
            raise document_problems.invalid_part(
                FILES, f"are more than {MAX_IN_A_BATCH:,}; send them in several batches"
            )
        else:
            files.append(await write_part(form, part, written))
    read: BatchFields = fields.read()
    if not files:
        raise document_problems.invalid_part(FILES, "is required")
    if len(read.documents) > len(files):
        raise document_problems.invalid_part("documents", f"describes {len(read.documents):,} files of {len(files):,}")
    rest = [UploadFields()] * (len(files) - len(read.documents))
    return list(zip(files, [*read.documents, *rest], strict=True)), read.name


async def _accept_all(call: AnyCall, described: Sequence[Described], name: str, written: Originals) -> Answer:
    await check_known(call, {f"/documents/{n}/profile": one.profile for n, (_, one) in enumerate(described)})
    await call.admit_jobs(len(described))
    with written.committing():
        outcome, batch_id = await _accepted(call, described, name)
    match outcome:
        case AcceptedAll():
            written.keep(*(original for original, _ in described))
            call.ingress.submitter.ring_stored(outcome.stored)
            return await _answer(call, _told(batch_id, name, outcome.outcomes))
        case Repeated(_, job) if job is not None:
            first = await call.db.run(batches.told_of, job.id)
            return await _answer(call, DocumentBatchAccepted.model_validate(first), REPLAYED)
        case Repeated():
            raise problems.not_found("batch")
        case KeyReused():
            raise problems.key_reused()
        case StaleKey():
            raise Overloaded("the tenant's key was changed at each try to store a batch of documents")


async def _accepted(
    call: AnyCall, described: Sequence[Described], name: str
) -> tuple[AcceptedAll | Repeated | KeyReused | StaleKey, UUID]:
    settings, batch_id = call.ingress.settings, uuid7()
    outcome: AcceptedAll | Repeated | KeyReused | StaleKey = StaleKey()
    for _ in range(MAX_TRIES):
        versions = await _sealed(call, described)
        outcome = await call.orm.run(
            acceptance.accept_all,
            versions,
            batch=NewBatch(batch_job(call, batch_id, _fingerprint(name, versions)), atomic=True, tell=lambda _: ""),
            tell=lambda outcomes: _told(batch_id, name, outcomes).model_dump_json(),
            options=import_options(call),
            ring_again_seconds=settings.ring_again_seconds,
            idempotency_hours=settings.idempotency_hours,
        )
        if not isinstance(outcome, StaleKey):
            break
        call.ingress.sealer.forget_active(call.tenant_id)
    return outcome, batch_id


async def _sealed(call: AnyCall, described: Sequence[Described]) -> list[UploadedVersion]:
    versions = []
    for number, (original, fields) in enumerate(described):
        if number % SEALED_IN_A_GO == 0:
            await asyncio.sleep(0)
        versions.append(await sealed(call, original, fields, fields.id))
    return versions


def _fingerprint(name: str, versions: Sequence[UploadedVersion]) -> bytes:
    hashed = sha256(b"documents\n" + name.encode() + b"\n")
    for version in versions:
        hashed.update(version.fingerprint)
    return hashed.digest()


def _told(batch_id: UUID, name: str, outcomes: Sequence[VersionAdded | VersionKept]) -> DocumentBatchAccepted:
    documents = tuple(
        DocumentOfBatch(
            id=one.document_id,
            version=one.version,
            job_id=one.jobs.importing.ref.job_id if isinstance(one, VersionAdded) else None,
        )
        for one in outcomes
    )
    total = sum(one.job_id is not None for one in documents)
    return DocumentBatchAccepted(id=batch_id, name=name, total=total, documents=documents)


async def _answer(call: AnyCall, accepted: DocumentBatchAccepted, *headers: Header) -> Answer:
    """Once it is stored; with `Prefer: wait`, once all were imported or the time is up."""
    seconds = wanted_seconds(call.headers)
    if seconds is not None:
        headers += (applied(seconds),)
        with suppress(Unavailable, Overloaded, problems.Refusal):  # It is stored, which is what the client must learn.
            await until_finished(call.ingress, call.principal, accepted.id, seconds)
    return json_answer(202, accepted, (b"location", f"/api/batches/{accepted.id}".encode()), *headers)


def _fields_of(document: NewDocument) -> UploadFields:
    return UploadFields.model_construct(**{name: getattr(document, name) for name in UploadFields.model_fields})
