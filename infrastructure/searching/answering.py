"""Answers a search: what was typed becomes clauses, these are widened by synonyms, the cache or the engine finds documents, and
next to no hits bring other spellings."""

import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.ports.search import SearchEngine
from infrastructure.ports.searching import SearchReport, SignsCursors, SlowSearch, SlowSearches
from infrastructure.searching.cache import Answered, Asked, ResultCache
from infrastructure.searching.correction import FEW_HITS, better_spelling
from infrastructure.searching.cursors import Place, read_place, sign_place
from infrastructure.searching.preparation import Preparation, Prepared, canonical
from infrastructure.searching.shape import shape_of
from infrastructure.searching.typed import typed, with_some_words
from schemas.search import Filters, SearchQuery, SearchResults, Sort

NO_FILTERS: Final = Filters()
WIDENED_BELOW: Final = 10
"""Hits: a first page that isn't full."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Used by all requests of a process."""

    engine: SearchEngine
    preparation: Preparation
    cache: ResultCache
    cursors: SignsCursors
    slow: SlowSearches
    report: SearchReport
    slow_seconds: float

    async def answer(self, tenant_id: UUID, query: SearchQuery) -> SearchResults:
        """What the query finds, with a cursor for what comes after. Raises the signer's refusal for a cursor that isn't of this
        query and tenant, and Unavailable when the tenant's index, or its synonyms, can't be used."""
        began, outcome = time.perf_counter(), "failed"
        try:
            results = await self._answer(tenant_id, query)
            outcome = "found" if results.total else "nothing"
            return results
        finally:
            self.report.searched(outcome, time.perf_counter() - began)

    async def better_spelling(self, tenant_id: UUID, text: str, filters: Filters = NO_FILTERS) -> str | None:
        """The text as documents spell it, if it finds less as it is; None where there is no better one, or the engine can't
        say. What it returns has hits that pass the filters."""
        query = SearchQuery(text=text, filters=filters, limit=0, highlight=False)
        prepared = await self.preparation.prepare(tenant_id, query)
        hits = (await self.engine.search(tenant_id, prepared.searched)).results.total
        return await self._better(tenant_id, query, hits) if hits < FEW_HITS else None

    async def _answer(self, tenant_id: UUID, query: SearchQuery) -> SearchResults:
        prepared = await self.preparation.prepare(tenant_id, query)
        if query.cursor is None:
            answered = await self._first(tenant_id, query, prepared)
        else:
            answered = await self._next(tenant_id, query, prepared)
        if answered.after is None:
            return answered.results
        place = Place(answered.after, answered.corrected, answered.results.widened)
        cursor = sign_place(self.cursors, tenant_id, prepared.pages, place)
        return answered.results.model_copy(update={"next_cursor": cursor})

    async def _first(self, tenant_id: UUID, query: SearchQuery, prepared: Prepared) -> Answered:
        # Read before the search: what becomes visible meanwhile is then kept under the mark before it, never the reverse.
        visible = await self.engine.visible(tenant_id)
        if visible is None:
            self.report.looked_up("bypassed")
            return await self._search(tenant_id, query, prepared)
        asked = Asked(tenant_id, visible, prepared.digest)
        return await self.cache.get(asked, lambda: self._search(tenant_id, query, prepared))

    async def _next(self, tenant_id: UUID, query: SearchQuery, prepared: Prepared) -> Answered:
        assert query.cursor is not None, "it goes on from one"
        place = read_place(self.cursors, tenant_id, prepared.pages, query.cursor)
        spelled = query if place.corrected is None else query.model_copy(update={"text": place.corrected})
        searched = (await self.preparation.prepare(tenant_id, spelled, is_wide=place.is_wide)).searched
        began = time.perf_counter()
        page = await self.engine.search(tenant_id, searched, after=place.after)
        self._note(tenant_id, query, searched, page.results.total, time.perf_counter() - began, deep=True)
        said: dict[str, object] = {"widened": place.is_wide}
        if place.corrected is not None:
            said |= {"did_you_mean": place.corrected, "corrected": True}
        return Answered(page.results.model_copy(update=said), page.after, place.corrected)

    async def _search(self, tenant_id: UUID, query: SearchQuery, prepared: Prepared) -> Answered:
        began = time.perf_counter()
        page = await self.engine.search(tenant_id, prepared.searched)
        answered = Answered(page.results, page.after)
        if page.results.total < FEW_HITS and query.correct and query.text is not None:
            answered = await self._corrected(tenant_id, query, answered)
        if _may_be_widened(query) and await self._finds_little(tenant_id, query, answered):
            answered = await self._widened(tenant_id, query, answered)
        self._note(tenant_id, query, prepared.searched, answered.results.total, time.perf_counter() - began)
        return answered

    async def _corrected(self, tenant_id: UUID, query: SearchQuery, found: Answered) -> Answered:
        better = await self._better(tenant_id, query, found.results.total)
        if better is None:
            return found
        if found.results.total:
            self.report.spelled_otherwise("suggested")
            return Answered(found.results.model_copy(update={"did_you_mean": better}), found.after)
        spelled = await self.preparation.prepare(tenant_id, query.model_copy(update={"text": better}))
        page = await self.engine.search(tenant_id, spelled.searched)
        if not page.results.total:  # They went between the two searches.
            return found
        self.report.spelled_otherwise("answered")
        said = {"did_you_mean": better, "corrected": True}
        return Answered(page.results.model_copy(update=said), page.after, better)

    async def _finds_little(self, tenant_id: UUID, query: SearchQuery, found: Answered) -> bool:
        """Of all documents: if those that pass the filters decided, whoever chooses a facet would get more than it counts."""
        if found.results.total >= WIDENED_BELOW or query.filters == NO_FILTERS:
            return found.results.total < WIDENED_BELOW
        unfiltered = _counting(_spelled(query, found)).model_copy(update={"filters": NO_FILTERS})
        everywhere = await self.preparation.prepare(tenant_id, unfiltered)
        return (await self.engine.search(tenant_id, everywhere.searched)).results.total < WIDENED_BELOW

    async def _widened(self, tenant_id: UUID, query: SearchQuery, found: Answered) -> Answered:
        """Also what has some of the words, behind what has all."""
        spelled = _spelled(query, found)
        wide = await self.preparation.prepare(tenant_id, spelled, is_wide=True)
        page = await self.engine.search(tenant_id, wide.searched)
        if page.results.total <= found.results.total:
            return found
        said = {"widened": True, "did_you_mean": found.results.did_you_mean, "corrected": found.results.corrected}
        return Answered(page.results.model_copy(update=said), page.after, found.corrected)

    async def _better(self, tenant_id: UUID, query: SearchQuery, hits: int) -> str | None:
        assert query.text is not None, "only what a person typed is spelled otherwise"
        counting = _counting(query)

        async def hits_of(text: str) -> int:
            counted = await self.preparation.prepare(tenant_id, counting.model_copy(update={"text": text}))
            return (await self.engine.search(tenant_id, counted.searched)).results.total

        try:
            return await better_spelling(self.engine, tenant_id, query.text, hits=hits, hits_of=hits_of)
        except Unavailable:
            return None  # The search has its answer; a suggestion is an extra.

    def _note(
        self,
        tenant_id: UUID,
        query: SearchQuery,
        searched: SearchQuery,
        hits: int,
        took_seconds: float,
        *,
        deep: bool = False,
    ) -> None:
        if took_seconds >= self.slow_seconds:
            asked = canonical(query.model_copy(update={"cursor": None}))
            self.slow.keep(tenant_id, SlowSearch(shape_of(searched, deep=deep), took_seconds, hits, asked))


def _spelled(query: SearchQuery, found: Answered) -> SearchQuery:
    return query if found.corrected is None else query.model_copy(update={"text": found.corrected})


def _counting(query: SearchQuery) -> SearchQuery:
    return query.model_copy(update={"limit": 0, "offset": 0, "facets": (), "highlight": False, "explain": False})


def _may_be_widened(query: SearchQuery) -> bool:
    # In any other order, documents with some of the words would stand among those with all.
    by_relevance = query.sort in (None, Sort.RELEVANCE)
    return (
        query.widen and by_relevance and query.text is not None and with_some_words(typed(query.text).match) is not None
    )
