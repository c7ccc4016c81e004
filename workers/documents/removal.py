"""Handles RemoveDocument: what was deleted can't be found any more, and its contents are gone."""

from events.documents import DocumentDeleted
from infrastructure.ports.documents import DocumentStore
from infrastructure.ports.search import Documents, IndexMissing, SearchEngine
from kinds.run import Run
from schemas.documents import RemoveDocument


async def remove_document(
    command: RemoveDocument, run: Run, *, store: DocumentStore, documents: Documents, engine: SearchEngine
) -> DocumentDeleted:
    """The deletion, once nothing is left of the version and those before it. Safe to repeat."""
    document_id, version = command.document.id, command.document.version
    assert version is not None, "pinned where the document was deleted"
    try:
        await engine.delete(run.tenant_id, document_id, version)
    except IndexMissing:
        # Only an index remembers: without one, a job under way could put the document into the one that it builds.
        await engine.rebuild(run.tenant_id, documents.all_of(run.tenant_id), unless_there=True)
        await engine.delete(run.tenant_id, document_id, version)
    await store.remove(run.tenant_id, command.document)
    return DocumentDeleted(document_id=document_id, version=version)
