"""Handles UnindexDocument: a document that stays stored can't be found any more."""

from events.search import DocumentUnindexed
from infrastructure.ports.search import IndexMissing
from kinds.run import Run
from monitoring.metrics import indexing as metrics
from monitoring.metrics.indexing import Outcome
from schemas.search import UnindexDocument
from workers.search.writing import Indexing, build_if_missing


async def unindex_document(command: UnindexDocument, run: Run, indexing: Indexing) -> DocumentUnindexed:
    """The removal, once it can't be found. That it isn't to be found was stored with the job. Safe to repeat."""
    document_id, version = command.document.id, command.document.version
    assert version is not None, "pinned where the job was made"
    try:
        await indexing.engine.take_out(run.tenant_id, document_id, version, command.removals)
    except IndexMissing:
        # Only an index remembers: without one, a job under way could put the document into the one that it builds.
        await build_if_missing(run.tenant_id, indexing)
        await indexing.engine.take_out(run.tenant_id, document_id, version, command.removals)
    metrics.documents_ended(Outcome.UNINDEXED)
    return DocumentUnindexed(document_id=document_id, version=version)
