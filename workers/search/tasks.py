"""The search pool's job, bound to its adapters."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from events.search import DocumentIndexed
from infrastructure.postgres.search.documents import IndexedDocuments
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from infrastructure.wiring import keyring, sealed_objects, search_engine
from kinds.declaration import job
from kinds.run import Run
from schemas.search import IndexDocument
from workers.search.indexing import index_document

Indexing = Callable[[IndexDocument, Run], Awaitable[DocumentIndexed]]


@asynccontextmanager
async def indexing(settings: Settings) -> AsyncIterator[Indexing]:
    async with (
        TenantPool(settings.database, "documents") as connections,
        keyring(settings) as sealer,
        search_engine(settings) as engine,
    ):
        yield partial(
            index_document, documents=IndexedDocuments(connections, sealer, sealed_objects(settings)), engine=engine
        )


@job(uses=indexing)
async def index(command: IndexDocument, run: Run, indexing: Indexing) -> DocumentIndexed:
    return await indexing(command, run)
