"""The search pool's jobs, bound to their adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from events.search import (
    DocumentIndexed,
    DocumentsIndexed,
    DocumentUnindexed,
    Reindexed,
    RolledBack,
    SavedSearchesMatched,
)
from infrastructure.concurrency.loops import Loop, WithLoops
from infrastructure.postgres.search.documents import IndexedDocuments
from infrastructure.postgres.search.known_items import StoredKnownItems
from infrastructure.postgres.search.matches import StoredMatches
from infrastructure.postgres.search.synonyms import BelievedSynonyms
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.searching.preparation import Preparation
from infrastructure.settings import Settings
from infrastructure.wiring import keyring, sealed_objects, search_engine
from kinds.declaration import job
from kinds.run import Run, Then
from schemas.search import (
    IndexDocument,
    IndexDocuments,
    MatchSavedSearches,
    Reindex,
    RollBack,
    UnindexDocument,
)
from workers.search.indexing import index_document, index_documents
from workers.search.rebuilding import reindex, roll_back
from workers.search.relevance import RelevanceProbe
from workers.search.saved_searches import Matching, match_saved_searches
from workers.search.unindexing import unindex_document
from workers.search.writing import Indexing


@dataclass(frozen=True)
class Adapters(WithLoops):
    indexing: Indexing
    matching: Matching
    loops: tuple[Loop, ...]
    """That keep the engine up, and see whether it finds what it must."""


@asynccontextmanager
async def adapters(settings: Settings) -> AsyncIterator[Adapters]:
    async with (
        TenantPool(settings.database, "indexed documents") as pool,
        keyring(settings) as sealer,
        search_engine(settings) as engine,
        StoredKnownItems(settings.database, pool) as known,
    ):
        documents = IndexedDocuments(pool, sealer, sealed_objects(settings))
        matching = Matching(StoredMatches(pool, sealer), engine, Preparation(BelievedSynonyms(pool)))
        probe = RelevanceProbe(known, engine, settings.chosen_search_engine)
        yield Adapters(Indexing(documents, engine), matching, (*engine.loops, probe.loop))


@job(uses=adapters)
async def index(command: IndexDocument, run: Run, adapters: Adapters) -> DocumentIndexed | Then:
    return await index_document(command, run, adapters.indexing)


@job(uses=adapters)
async def index_many(command: IndexDocuments, run: Run, adapters: Adapters) -> DocumentsIndexed | Then:
    return await index_documents(command, run, adapters.indexing)


@job(uses=adapters)
async def unindex(command: UnindexDocument, run: Run, adapters: Adapters) -> DocumentUnindexed:
    return await unindex_document(command, run, adapters.indexing)


@job(uses=adapters)
async def rebuild(command: Reindex, run: Run, adapters: Adapters) -> Reindexed:
    return await reindex(command, run, adapters.indexing, adapters.matching)


@job(uses=adapters)
async def go_back(command: RollBack, run: Run, adapters: Adapters) -> RolledBack:
    return await roll_back(command, run, adapters.indexing)


@job(uses=adapters)
async def match_saved(command: MatchSavedSearches, run: Run, adapters: Adapters) -> SavedSearchesMatched | Then:
    return await match_saved_searches(command, run, adapters.matching)
