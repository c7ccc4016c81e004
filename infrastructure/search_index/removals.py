"""A SearchEngine whose documents can be taken out and put in again.

An engine keeps of two writes the one with the greater version, and remembers deletions by version. A document that was taken
out stays as it is, though, and so would have to come back in a version that was deleted. So engines get numbers that count
both: see docs/decisions/0045.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from infrastructure.concurrency.loops import WithLoops
from infrastructure.ports.search import (
    Completion,
    IndexedDocument,
    IndexState,
    Page,
    Rebuilt,
    SearchEngine,
    Spelling,
)
from schemas.search import Filters, SearchQuery

REMOVALS: Final = 2**20
"""More often than that no document is taken out. With 2**43 versions the numbers stay within 63 bits."""


class RemovableDocuments(WithLoops):
    """A SearchIndex over any engine, with the loops that keep this up."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine
        self.loops = engine.loops if isinstance(engine, WithLoops) else ()

    async def index(self, tenant_id: UUID, document: IndexedDocument) -> None:
        await self._engine.index(tenant_id, _numbered(document))

    async def delete(self, tenant_id: UUID, document_id: str, version: int) -> None:
        await self._engine.delete(tenant_id, document_id, number_of(version, REMOVALS - 1))

    async def take_out(self, tenant_id: UUID, document_id: str, version: int, removals: int) -> None:
        await self._engine.delete(tenant_id, document_id, number_of(version, removals))

    async def search(self, tenant_id: UUID, query: SearchQuery, *, after: bytes | None = None) -> Page:
        page = await self._engine.search(tenant_id, query, after=after)
        hits = tuple([hit.model_copy(update={"version": hit.version // REMOVALS}) for hit in page.results.hits])
        return replace(page, results=page.results.model_copy(update={"hits": hits}))

    async def rebuild(
        self,
        tenant_id: UUID,
        documents: AsyncIterator[Sequence[IndexedDocument]],
        *,
        unless_there: bool = False,
        golden: Sequence[SearchQuery] = (),
    ) -> Rebuilt | None:
        numbered = _all_numbered(documents)
        return await self._engine.rebuild(tenant_id, numbered, unless_there=unless_there, golden=golden)

    async def complete(self, tenant_id: UUID, beginning: str, filters: Filters, *, limit: int) -> Sequence[Completion]:
        return await self._engine.complete(tenant_id, beginning, filters, limit=limit)

    async def spellings(self, tenant_id: UUID, words: Sequence[str]) -> Sequence[tuple[int, Sequence[Spelling]]]:
        return await self._engine.spellings(tenant_id, words)

    async def visible(self, tenant_id: UUID) -> bytes | None:
        return await self._engine.visible(tenant_id)

    async def roll_back(self, tenant_id: UUID) -> str | None:
        return await self._engine.roll_back(tenant_id)

    async def states(self, tenant_id: UUID) -> Sequence[IndexState]:
        return await self._engine.states(tenant_id)

    async def remove(self, tenant_id: UUID) -> bool:
        return await self._engine.remove(tenant_id)


def number_of(version: int, removals: int) -> int:
    """Greater for a later version, and within one for what was put in after more removals."""
    return version * REMOVALS + min(removals, REMOVALS - 1)


def _numbered(document: IndexedDocument) -> IndexedDocument:
    return replace(document, version=number_of(document.version, document.removals))


async def _all_numbered(
    documents: AsyncIterator[Sequence[IndexedDocument]],
) -> AsyncIterator[Sequence[IndexedDocument]]:
    async for some in documents:
        yield [_numbered(one) for one in some]
