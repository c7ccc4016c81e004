"""Looks for a few documents by their own titles every two minutes, so that people and alerts know before users do of an index
that finds less than it must: what it lost, or what is analysed in another way than it was indexed."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

import structlog
from pydantic import ValidationError

from infrastructure.concurrency.loops import Loop, made_progress
from infrastructure.ports import Unavailable
from infrastructure.ports.known_items import KnownItem, KnownItems
from infrastructure.ports.search import IndexMissing, SearchEngine
from monitoring.metrics import relevance as metrics
from schemas.search import AllTerms, Hit, SearchQuery

log = structlog.get_logger(__name__)

PERIOD_SECONDS: Final = 120.0
DOCUMENTS: Final = 20
DEPTH: Final = 10
"""A document behind so many others is as good as missed."""
SETTLING_SECONDS: Final = 5.0
"""A document that isn't found may just be about to be: it is looked for once more after so long."""
LONGEST_TITLE: Final = 300


class RelevanceProbe:
    """Each process looks by itself, at one tenant in a round, and begins at any of them."""

    def __init__(
        self, known: KnownItems, engine: SearchEngine, engine_name: str, *, settling_seconds: float = SETTLING_SECONDS
    ) -> None:
        self._known = known
        self._engine = engine
        self._engine_name = engine_name
        self._settling_seconds = settling_seconds
        self._last_tenant = uuid4()

    @property
    def loop(self) -> Loop:
        return Loop("search relevance", PERIOD_SECONDS, self.round)

    async def round(self) -> None:
        tenant_id = await self._known.tenant_after(self._last_tenant)
        if tenant_id is None:
            return
        # Whatever comes of this one, the next round's is another.
        self._last_tenant = tenant_id
        items = await self._known.some_of(tenant_id, DOCUMENTS)
        try:
            ranks = await self._settled(tenant_id, items)
        except Unavailable:
            metrics.could_not_look(len(items))
            raise
        metrics.looked_for(self._engine_name, list(ranks.values()))
        if missed := _missed(ranks):
            log.warning("search.documents_missed", tenant_id=str(tenant_id), missed=len(missed), looked_for=len(ranks))

    async def _settled(self, tenant_id: UUID, items: Sequence[KnownItem]) -> dict[str, float]:
        ranks = await self._ranks(tenant_id, items)
        if missed := _missed(ranks):
            await asyncio.sleep(self._settling_seconds)
            again = await self._ranks(tenant_id, await self._known.those(tenant_id, missed))
            found = {name: rank for name, rank in ranks.items() if name not in missed}
            return found | again
        return ranks

    async def _ranks(self, tenant_id: UUID, items: Sequence[KnownItem]) -> dict[str, float]:
        ranks = {}
        for one in items:
            if (query := query_for(one.title)) is None:
                continue
            made_progress()
            try:
                hits: Sequence[Hit] = (await self._engine.search(tenant_id, query)).results.hits
            except IndexMissing:
                hits = ()
            if (rank := reciprocal_rank(one, hits)) is not None:
                ranks[one.document_id] = rank
        return ranks


def query_for(title: str) -> SearchQuery | None:
    """None for a title that can't be searched for: it has no word, or too many."""
    whole = title if len(title) <= LONGEST_TITLE else title[:LONGEST_TITLE].rpartition(" ")[0]
    try:
        return SearchQuery(match=AllTerms(text=whole), synonyms=False, highlight=False, limit=DEPTH)
    except ValidationError:
        return None


def reciprocal_rank(item: KnownItem, hits: Sequence[Hit]) -> float | None:
    """1 for the first, a half for the second, 0 for one that isn't there. Others of the same title are as good an answer, so
    they don't count against it; None where there are so many that nothing can be said."""
    alike = 0
    for place, hit in enumerate(hits, start=1):
        if hit.document_id == item.document_id:
            return 1 / (place - alike)
        alike += _read_alike(hit.title, item.title)
    return None if alike == DEPTH else 0.0


def _read_alike(title: str, other: str) -> bool:
    return title.casefold().split() == other.casefold().split()


def _missed(ranks: dict[str, float]) -> list[str]:
    return [document_id for document_id, rank in ranks.items() if not rank]
