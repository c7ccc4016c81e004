"""The SearchEngine on Elasticsearch."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import UUID

from infrastructure.concurrency.loops import WithLoops
from infrastructure.elasticsearch.access import Access, Keys
from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.lifecycle.generations import SHORTEST_KEPT_SECONDS, Generations
from infrastructure.elasticsearch.lifecycle.indexes import Indexes
from infrastructure.elasticsearch.lifecycle.rebuild import Rebuilder
from infrastructure.elasticsearch.lifecycle.rotation import Rotation
from infrastructure.elasticsearch.lifecycle.upkeep import Upkeep
from infrastructure.elasticsearch.querying.completions import complete
from infrastructure.elasticsearch.querying.search import Shelf, search
from infrastructure.elasticsearch.querying.spellings import spellings
from infrastructure.elasticsearch.shelves import Shelves
from infrastructure.elasticsearch.writing.changes import Change
from infrastructure.elasticsearch.writing.congestion import Congestion
from infrastructure.elasticsearch.writing.refreshes import PACE_SECONDS, Refreshes
from infrastructure.elasticsearch.writing.writer import Writer
from infrastructure.ports.search import (
    Completion,
    IndexedDocument,
    IndexMissing,
    IndexState,
    Page,
    Rebuilt,
    Spelling,
)
from infrastructure.ports.search_locations import Locations
from infrastructure.redis.search_changes import SearchChanges
from schemas.search import Filters, SearchQuery, SearchResults

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

T = TypeVar("T")

LOST = "the tenant's search index is missing; index any document to rebuild it"


@dataclass(frozen=True, slots=True)
class Ways:
    """How an engine works, where installations differ."""

    rotation: Rotation = field(default_factory=Rotation)
    kept_seconds: float = SHORTEST_KEPT_SECONDS
    """How long a generation that was replaced may be rolled back to."""
    refresh_seconds: float = PACE_SECONDS
    """Between two refreshes of one tenant's index."""


class ElasticsearchEngine(WithLoops):
    """One per process. It takes part in the index with any number of others."""

    def __init__(
        self,
        client: "AsyncElasticsearch",
        app: str,
        locations: Locations,
        changes: SearchChanges,
        holds_documents: Callable[[UUID], Awaitable[bool]],
        *,
        keys: Keys | None = None,
        ways: Ways | None = None,
        congestion: Congestion | None = None,
    ) -> None:
        ways = ways or Ways()
        self._holds_documents = holds_documents
        self._access = Access(client, app, keys)
        self._shelves = Shelves(locations, changes)
        indexes = Indexes(client, app)
        refreshes = Refreshes(self._access, locations, pace_seconds=ways.refresh_seconds)
        self._writer = Writer(self._access, locations, refreshes, changes, congestion=congestion)
        self._generations = Generations(
            locations, indexes, self._access, changes, self._shelves, app, kept_seconds=ways.kept_seconds
        )
        self._rebuilder = Rebuilder(
            locations, self._generations, indexes, self._access, self._writer, ways.rotation, app
        )
        self.upkeep = Upkeep(locations, self._generations, indexes, changes, self._shelves, ways.rotation, app)
        self.loops = self.upkeep.loops

    async def index(self, tenant_id: UUID, document: IndexedDocument) -> None:
        await self._writer.write(tenant_id, Change(document.document_id, document.version, document))

    async def delete(self, tenant_id: UUID, document_id: str, version: int) -> None:
        await self._writer.write(tenant_id, Change(document_id, version))

    async def search(self, tenant_id: UUID, query: SearchQuery, *, after: bytes | None = None) -> Page:
        async def ask(client: "AsyncElasticsearch", shelf: Shelf) -> Page:
            return await search(client, shelf, query, after)

        return await self._ask(tenant_id, ask, Page(SearchResults(total=0, hits=())))

    async def complete(self, tenant_id: UUID, beginning: str, filters: Filters, *, limit: int) -> Sequence[Completion]:
        async def ask(client: "AsyncElasticsearch", shelf: Shelf) -> Sequence[Completion]:
            return await complete(client, shelf, beginning, filters, limit)

        return await self._ask(tenant_id, ask, ())

    async def spellings(self, tenant_id: UUID, words: Sequence[str]) -> Sequence[tuple[int, Sequence[Spelling]]]:
        async def ask(client: "AsyncElasticsearch", shelf: Shelf) -> Sequence[tuple[int, Sequence[Spelling]]]:
            return await spellings(client, shelf, words)

        return await self._ask(tenant_id, ask, [(0, ()) for _ in words])

    async def visible(self, tenant_id: UUID) -> bytes | None:
        shelf = await self._shelves.of(tenant_id)
        return None if shelf is None or shelf.visible is None else bytes.fromhex(shelf.visible)

    async def rebuild(
        self,
        tenant_id: UUID,
        documents: AsyncIterator[Sequence[IndexedDocument]],
        *,
        unless_there: bool = False,
        golden: Sequence[SearchQuery] = (),
    ) -> Rebuilt | None:
        return await self._rebuilder.rebuild(tenant_id, documents, unless_there=unless_there, golden=golden)

    async def roll_back(self, tenant_id: UUID) -> str | None:
        return await self._rebuilder.roll_back(tenant_id)

    async def states(self, tenant_id: UUID) -> Sequence[IndexState]:
        return await self._generations.states(tenant_id)

    async def remove(self, tenant_id: UUID) -> bool:
        return await self._generations.remove(tenant_id)

    async def _ask(self, tenant_id: UUID, ask: Callable[["AsyncElasticsearch", Shelf], Awaitable[T]], nothing: T) -> T:
        for is_first in (True, False):
            shelf = await self._shelves.of(tenant_id)
            if shelf is None:
                if await self._holds_documents(tenant_id):
                    raise IndexMissing(LOST)
                return nothing
            client = await self._access.of(tenant_id)
            try:
                async with translated():
                    return await ask(client, shelf)
            except IndexMissing:
                # It may have been replaced since the locator was read.
                self._shelves.forget(tenant_id)
                if not is_first:
                    raise IndexMissing(LOST) from None
        raise AssertionError("the second round returns or raises")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._writer.finish()
