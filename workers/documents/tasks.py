"""The jobs of documents, bound to their adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from events.documents import DocumentDeleted, DocumentImported
from infrastructure.ports.documents import DocumentStore
from infrastructure.ports.extraction import TextExtractor
from infrastructure.ports.search import Documents, SearchEngine
from infrastructure.postgres.search.documents import IndexedDocuments
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from infrastructure.wiring import document_store, keyring, sealed_objects, search_engine, text_extractor
from kinds.declaration import job
from kinds.run import Run, Then
from monitoring.metrics.extraction import extraction_ended
from schemas.documents import ImportDocument, RemoveDocument
from workers.documents.importing import import_document
from workers.documents.removal import remove_document

MAX_IMPORTS: Final = 32
"""At a time in one worker, most of them waiting for a process that reads them: the other slots are for other jobs."""


@dataclass(frozen=True, slots=True)
class Adapters:
    store: DocumentStore
    extractor: TextExtractor
    indexed: Documents
    engine: SearchEngine


@asynccontextmanager
async def adapters(settings: Settings) -> AsyncIterator[Adapters]:
    async with (
        keyring(settings) as sealer,
        document_store(settings, sealer) as store,
        text_extractor(settings.extraction_processes, extraction_ended) as extractor,
        TenantPool(settings.database, "removed documents", size=1) as connections,
        search_engine(settings) as engine,
    ):
        yield Adapters(store, extractor, IndexedDocuments(connections, sealer, sealed_objects(settings)), engine)


@job(uses=adapters, at_most=MAX_IMPORTS)
async def read(command: ImportDocument, run: Run, adapters: Adapters) -> DocumentImported | Then:
    return await import_document(command, run, store=adapters.store, extractor=adapters.extractor)


@job(uses=adapters)
async def remove(command: RemoveDocument, run: Run, adapters: Adapters) -> DocumentDeleted:
    return await remove_document(command, run, store=adapters.store, documents=adapters.indexed, engine=adapters.engine)
