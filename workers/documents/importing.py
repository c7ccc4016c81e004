"""Handles ImportDocument: reads a version's text, stores it, and starts what the tenant's profile says."""

import asyncio
import time
from collections.abc import Iterator
from typing import Final

from events.documents import DocumentImported
from infrastructure.extraction.extractor import EXTRACTED
from infrastructure.extraction.sent_text import as_extracted
from infrastructure.ports import Refused
from infrastructure.ports.documents import DocumentStore, Original, VersionDetails, gone
from infrastructure.ports.extraction import Extracted, Extraction, NotExtracted, TextExtractor
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from kinds.run import Run, Then
from monitoring.metrics.extraction import extraction_ended
from schemas.ai import ProcessDocument
from schemas.commands import Command
from schemas.documents import DocumentRef, ImportDocument, IngestionProfile, VersionState
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep

UNDETERMINED: Final = "und"


async def import_document(
    command: ImportDocument, run: Run, *, store: DocumentStore, extractor: TextExtractor
) -> DocumentImported | Then:
    """The imported version, and the jobs that follow. Raises Refused when it can't be read, which its version then says too,
    and when it was deleted meanwhile. Safe to repeat: what is imported isn't read again."""
    details = await store.details(run.tenant_id, command.document)
    if details is None or details.is_deleted:
        raise Refused(gone(command.document))
    if details.state is not VersionState.READY:
        extracted = await _extracted(command.document, details, run, store, extractor)
        details = await _stored(command.document, extracted, run, store)
    profile = await store.profile(run.tenant_id, command.profile)
    return Then(_imported(details), tuple(what_follows(details, profile)))


def what_follows(details: VersionDetails, profile: IngestionProfile) -> Iterator[Command]:
    """The jobs that the profile asks for. Only what is read from now on is worth finding."""
    imported = DocumentRef(id=details.document_id, version=details.version)
    if profile.index and details.is_current:
        yield IndexDocument(document=imported)
    if profile.process:
        yield ProcessDocument(document=imported)
    if profile.workflow is not None:
        named = {"document": imported.model_dump(mode="json")}
        yield RunWorkflowStep(definition=profile.workflow.definition, input=named)


async def _extracted(
    ref: DocumentRef, details: VersionDetails, run: Run, store: DocumentStore, extractor: TextExtractor
) -> Extracted:
    original = await store.original(run.tenant_id, ref)
    if original is None:
        raise Refused(gone(ref))
    match await _read(original, details, run, extractor):
        case Extracted() as extracted:
            return extracted
        case NotExtracted(problem=problem):
            await store.failed(run.tenant_id, ref, problem)
            raise Refused(problem)


async def _read(original: Original, details: VersionDetails, run: Run, extractor: TextExtractor) -> Extraction:
    if original.is_text:
        text = b"".join([chunk async for chunk in original.chunks]).decode()
        begun_at = time.monotonic()
        extracted = await asyncio.to_thread(as_extracted, text)
        extraction_ended(extracted.format, EXTRACTED, time.monotonic() - begun_at)
        return extracted
    run.progress(0.1, f"reading {original.size_bytes:,} bytes")
    return await extractor.extract(
        run.tenant_id, original.chunks, file_name=details.file_name, media_type=details.media_type
    )


async def _stored(ref: DocumentRef, extracted: Extracted, run: Run, store: DocumentStore) -> VersionDetails:
    try:
        details = await store.imported(run.tenant_id, ref, extracted)
    except QuotaExceeded as exceeded:
        await store.failed(run.tenant_id, ref, exceeded.problem)
        raise
    if details is None or details.is_deleted:
        raise Refused(gone(ref))
    return details


def _imported(details: VersionDetails) -> DocumentImported:
    return DocumentImported(
        document_id=details.document_id,
        version=details.version,
        current=details.is_current,
        media_type=details.media_type,
        language=details.language or UNDETERMINED,
        characters=details.characters or 0,
        pages=details.pages,
    )
