"""The search pool's handlers, bound to their adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from infrastructure.postgres.search.documents import StoredDocuments
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from infrastructure.wiring import keyring, search_engine
from schemas.search import IndexDocument
from workers.runtime.handler import Handler
from workers.search.indexing import index_document


@asynccontextmanager
async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
    async with (
        TenantPool(settings.database, "documents") as connections,
        keyring(settings) as sealer,
        search_engine(settings) as engine,
    ):
        documents = StoredDocuments(connections, sealer)
        yield (Handler(IndexDocument, partial(index_document, documents=documents, engine=engine)),)
