"""Handles IndexDocument: indexes a stored document, or one that it stores first. Jobs may run in any order and any number of
times."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from events.search import DocumentIndexed
from infrastructure.concurrency.loops import Loop, WithLoops
from infrastructure.ports import Unavailable
from infrastructure.ports.documents import DocumentStore, VersionDetails, read_text
from infrastructure.ports.search import Documents, IndexedDocument, IndexMissing, SearchEngine, StoredDocument
from kinds.run import Run
from schemas.documents import DocumentRef
from schemas.search import IndexDocument

PLAIN_TEXT: Final = "text/plain"
MAX_CHANGES: Final = 5
"""Of one document, while one job indexes it."""


@dataclass(frozen=True, slots=True)
class Indexing(WithLoops):
    """What the handler works with."""

    documents: Documents
    store: DocumentStore
    engine: SearchEngine
    loops: tuple[Loop, ...] = ()
    """That keep the engine up."""


async def index_document(command: IndexDocument, run: Run, indexing: Indexing) -> DocumentIndexed:
    """Indexes what is stored, so that the index can always be rebuilt from the store. Safe to repeat."""
    if command.document is not None:
        found, superseded = await _stored_already(command.document, run, indexing.store)
    else:
        stored = await indexing.documents.store(run.tenant_id, run.job_id, command)
        found, superseded = to_index(command, stored), stored.superseded
    if not superseded:
        await _index_as_it_stands(found, run, indexing)
    return DocumentIndexed(document_id=found.document_id, version=found.version, superseded=superseded)


async def _stored_already(ref: DocumentRef, run: Run, store: DocumentStore) -> tuple[IndexedDocument, bool]:
    """The document, and whether a newer version of it stands."""
    details, text = await read_text(store, run.tenant_id, ref)
    pinned = DocumentRef(id=details.document_id, version=details.version)
    is_current = await store.mark_indexed(run.tenant_id, pinned)
    return _as_indexed(details, text), not is_current


async def _index_as_it_stands(found: IndexedDocument, run: Run, indexing: Indexing) -> None:
    """Indexes the version, and again if what is said about it was changed meanwhile: of two jobs that index one version, the
    one that read it earlier may write it later."""
    ref = DocumentRef(id=found.document_id, version=found.version)
    for _ in range(MAX_CHANGES):
        await _index(found, run, indexing)
        details = await indexing.store.details(run.tenant_id, ref)
        if details is None or details.is_deleted:
            return  # Its removal takes it out of the index, whichever comes first.
        standing = _as_indexed(details, found.text)
        if standing == found:
            return
        found = standing
    raise Unavailable("the document is changed faster than it can be indexed; it is tried again")


async def _index(document: IndexedDocument, run: Run, indexing: Indexing) -> None:
    try:
        await indexing.engine.index(run.tenant_id, document)
    except IndexMissing:
        run.progress(0.1, "building the tenant's index")
        await rebuild(run.tenant_id, documents=indexing.documents, engine=indexing.engine, unless_there=True)
        await indexing.engine.index(run.tenant_id, document)


async def rebuild(tenant_id: UUID, *, documents: Documents, engine: SearchEngine, unless_there: bool = False) -> None:
    """Rebuilds the tenant's index from its stored documents. An existing index serves searches until the new one is ready."""
    await engine.rebuild(tenant_id, documents.all_of(tenant_id), unless_there=unless_there)


def to_index(command: IndexDocument, stored: StoredDocument) -> IndexedDocument:
    """The document as indexed, text included: the schema says why."""
    assert command.document_id is not None and command.document_type is not None  # noqa: PT018  # by its validator
    assert command.title is not None and command.text is not None  # noqa: PT018  # as well
    return IndexedDocument(
        document_id=command.document_id,
        version=stored.version,
        title=command.title,
        text=command.text,
        document_type=command.document_type,
        industry=command.industry,
        language=command.language,
        tags=command.tags,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
        media_type=PLAIN_TEXT,
    )


def _as_indexed(details: VersionDetails, text: str) -> IndexedDocument:
    return IndexedDocument(
        document_id=details.document_id,
        version=details.version,
        title=details.title,
        text=text,
        document_type=details.document_type,
        industry=details.industry,
        language=details.language,
        tags=details.tags,
        created_at=details.created_at,
        updated_at=details.updated_at,
        media_type=details.media_type,
        pages=details.pages,
    )
