"""Handles IndexDocument: stores a document and indexes it. Jobs may run in any order and any number of times."""

from uuid import UUID

from events.search import DocumentIndexed
from infrastructure.ports.search import Documents, IndexedDocument, IndexMissing, SearchEngine, StoredDocument
from kinds.run import Run
from schemas.search import IndexDocument


async def index_document(
    command: IndexDocument, run: Run, *, documents: Documents, engine: SearchEngine
) -> DocumentIndexed:
    """Stores the document, then indexes it, so that the index can always be rebuilt from the store. Safe to repeat."""
    stored = await documents.store(run.tenant_id, run.job_id, command)
    if stored.superseded:
        return DocumentIndexed(document_id=command.document_id, version=stored.version, superseded=True)
    try:
        await engine.index(run.tenant_id, to_index(command, stored))
    except IndexMissing:
        run.progress(0.1, "building the tenant's index")
        await rebuild(run.tenant_id, documents=documents, engine=engine, unless_there=True)
        await engine.index(run.tenant_id, to_index(command, stored))
    return DocumentIndexed(document_id=command.document_id, version=stored.version)


async def rebuild(tenant_id: UUID, *, documents: Documents, engine: SearchEngine, unless_there: bool = False) -> None:
    """Rebuilds the tenant's index from its stored documents. An existing index serves searches until the new one is ready."""
    await engine.rebuild(tenant_id, documents.all_of(tenant_id), unless_there=unless_there)


def to_index(command: IndexDocument, stored: StoredDocument) -> IndexedDocument:
    """The document as indexed, text included: the schema says why."""
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
    )
