"""The search pool's job, bound to its adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events.search import DocumentIndexed
from infrastructure.concurrency.loops import WithLoops
from infrastructure.postgres.search.documents import IndexedDocuments
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from infrastructure.wiring import document_store, keyring, sealed_objects, search_engine
from kinds.declaration import job
from kinds.run import Run
from schemas.search import IndexDocument
from workers.search.indexing import Indexing, index_document


@asynccontextmanager
async def indexing(settings: Settings) -> AsyncIterator[Indexing]:
    async with (
        TenantPool(settings.database, "documents") as connections,
        keyring(settings) as sealer,
        document_store(settings, sealer) as store,
        search_engine(settings) as engine,
    ):
        documents = IndexedDocuments(connections, sealer, sealed_objects(settings))
        yield Indexing(documents, store, engine, engine.loops if isinstance(engine, WithLoops) else ())


@job(uses=indexing)
async def index(command: IndexDocument, run: Run, indexing: Indexing) -> DocumentIndexed:
    return await index_document(command, run, indexing)
