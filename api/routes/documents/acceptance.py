"""Accepts a version: stores it with the job that imports it, and answers."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from api.endpoint import Call
from api.http import document_problems, problems
from api.http.entity_tags import tags_in
from api.http.responses import Answer, Header, json_answer
from api.routes.commands import REPLAYED, idempotency_key
from api.routes.documents.fields import UploadFields
from api.routes.documents.originals import Original, Originals, sealed
from api.routes.documents.profiles import check_known
from api.streams.long_poll import applied, until_finished, wanted_seconds
from infrastructure.concurrency.batching import Overloaded
from infrastructure.ports import Unavailable
from infrastructure.postgres.documents import acceptance, queries
from infrastructure.postgres.documents.acceptance import (
    Acceptance,
    Accepted,
    PreconditionFailed,
    Repeated,
    StaleKey,
    Unchanged,
)
from infrastructure.postgres.documents.etags import Precondition, etag
from infrastructure.postgres.documents.jobs import ImportOptions
from infrastructure.postgres.jobs.submission import KeyReused
from schemas.documents import Document, DocumentAccepted
from schemas.jobs import Job

MAX_TRIES = 3
WHAT = "document"

AnyCall = Call[Any, Any]


async def accept(
    call: AnyCall,
    original: Original,
    fields: UploadFields,
    document_id: str | None,
    precondition: Precondition,
    written: Originals,
) -> Answer:
    """202 with the document and its job once they are committed; 200 when there was nothing new in it, or when the client
    waited and the job has ended."""
    await check_known(call, {"/profile": fields.profile})
    with written.committing():
        outcome = await _accepted(call, original, fields, document_id, precondition)
    match outcome:
        case Accepted(document, job, jobs):
            written.keep(original)
            call.ingress.submitter.ring_stored(jobs.stored)
            return await _answer(call, document, job)
        case Unchanged(document):
            return _as_json(200, document, None)
        case Repeated(document, job):
            if document is None:
                raise problems.not_found(WHAT)
            return await _answer(call, document, job, REPLAYED)
        case PreconditionFailed(document):
            raise precondition_failed(call, document)
        case KeyReused():
            raise problems.key_reused()
        case StaleKey():
            raise Overloaded("the tenant's key was changed at each try to store a document")


async def _accepted(
    call: AnyCall, original: Original, fields: UploadFields, document_id: str | None, precondition: Precondition
) -> Acceptance:
    key, settings = idempotency_key(call.headers.get("idempotency-key")), call.ingress.settings
    outcome: Acceptance = StaleKey()
    for _ in range(MAX_TRIES):
        version = replace(await sealed(call, original, fields, document_id), idempotency_key=key)
        outcome = await call.orm.run(
            acceptance.accept,
            version,
            precondition,
            options=import_options(call),
            ring_again_seconds=settings.ring_again_seconds,
            idempotency_hours=settings.idempotency_hours,
        )
        if not isinstance(outcome, StaleKey):
            break
        call.ingress.sealer.forget_active(call.tenant_id)
    return outcome


def import_options(call: AnyCall) -> ImportOptions:
    return ImportOptions(correlation_id=call.correlation_id, traceparent=call.trace.traceparent)


def precondition_of(call: AnyCall) -> Precondition:
    """What the request says must be true of the document. Raises a Refusal (400) for a header that can't be read."""
    unless = tags_in("If-None-Match", call.headers.get("if-none-match"))
    if unless not in (None, ("*",)):
        raise problems.invalid_header("If-None-Match", "must be *, which only a document that isn't there yet meets")
    return Precondition(tags_in("If-Match", call.headers.get("if-match")), if_none_match_any=unless is not None)


def precondition_failed(call: AnyCall, document: Document | None) -> problems.Refusal:
    header = "If-Match" if "if-match" in call.headers else "If-None-Match"
    return document_problems.precondition_failed(header, None if document is None else etag(document))


async def check_precondition(call: AnyCall, document_id: str, precondition: Precondition) -> None:
    """Raises a Refusal (412) when the precondition isn't met now, before an upload is read. The transaction that accepts it
    decides."""
    if precondition != Precondition():
        document = await call.orm.run(queries.document, document_id)
        if not precondition.met_by(
            None if document is None or document.deleted_at else etag(document)[1:].partition(".")[0]
        ):
            raise precondition_failed(call, document)


async def _answer(call: AnyCall, document: Document, job: Job | None, *headers: Header) -> Answer:
    seconds = wanted_seconds(call.headers)
    if seconds is not None and job is not None:
        headers += (applied(seconds),)
        if not job.finished:
            document, job = await _awaited(call, document, job, seconds)
    return _as_json(202 if job is None or not job.finished else 200, document, job, *headers)


async def _awaited(call: AnyCall, document: Document, job: Job, seconds: int) -> tuple[Document, Job]:
    try:
        ended = await until_finished(call.ingress, call.principal, job.id, seconds) or job
        return await call.orm.run(queries.document, document.id) or document, ended
    except (Unavailable, Overloaded, problems.Refusal):
        # The version is stored, which is what the client must learn. A client whose key was revoked learns no more.
        return document, job


def _as_json(status: int, document: Document, job: Job | None, *headers: Header) -> Answer:
    named = ((b"location", location_of(document.id)), (b"etag", etag(document).encode()))
    return json_answer(status, DocumentAccepted(document=document, job=job), *named, *headers)


def location_of(document_id: str) -> bytes:
    """Its address. An id's slashes are encoded, so that no id is taken for another's versions or text."""
    return f"/api/documents/{quote(document_id, safe='')}".encode()
