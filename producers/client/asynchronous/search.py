"""Search: finding what was indexed, and how."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.documents import conditions
from producers.client.requests import Id, delete, get, path, post, put, whole
from schemas.search import (
    Advice,
    AdviceRequest,
    FacetCounts,
    FacetField,
    Indexes,
    IndexRemoval,
    NamedSavedSearch,
    NewSavedSearch,
    SavedSearch,
    SavedSearches,
    SearchQuery,
    SearchResults,
    SlowQueries,
    SlowQuery,
    StoredSynonyms,
    Suggestions,
    Synonyms,
)

SEARCH: Final = "search"
SAVED: Final = "saved"
PAGE: Final = 200


class AsyncSearch:
    """Your documents. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def query(self, query: SearchQuery) -> SearchResults:
        """A page of what matches, the best first, with snippets and facets as they were asked for."""
        return await self._client.ask(SearchResults, post(path(SEARCH, "advanced"), whole(query)))

    async def suggest(self, typed: str, *, limit: int | None = None, **filters: Any) -> Suggestions:
        """Titles and words that begin so.

            await bucatini.search.suggest("notice per", document_types=["lease"], created_since=since)

        Filters are those of GET /api/search/suggest; a list is joined with commas.
        """
        query = {"q": typed, "limit": limit, **_parameters(filters)}
        return await self._client.ask(Suggestions, get(path(SEARCH, "suggest"), query))

    async def facets(
        self,
        *fields: FacetField | str,
        text: str | None = None,
        facet_limit: int | None = None,
        period: str | None = None,
        **filters: Any,
    ) -> FacetCounts:
        """How often the values of these fields occur, among all documents or those that match a text."""
        query = {
            "fields": ",".join(map(str, fields)),
            "q": text,
            "facet_limit": facet_limit,
            "period": period,
            **_parameters(filters),
        }
        return await self._client.ask(FacetCounts, get(path(SEARCH, "facets"), query))

    async def synonyms(self) -> StoredSynonyms:
        return await self._client.ask(StoredSynonyms, get(path(SEARCH, "synonyms")))

    async def set_synonyms(self, synonyms: Synonyms, *, if_version: int | None = None) -> StoredSynonyms:
        """Replaces them all. With `if_version` ProblemAnswer with status 412 when they are of another version now."""
        request = put(path(SEARCH, "synonyms"), synonyms)
        tag = None if if_version is None else f'"{if_version}"'
        conditional = replace(request, headers={**request.headers, **conditions(tag)})
        return await self._client.ask(StoredSynonyms, conditional)

    async def slow_queries(self) -> AsyncIterator[SlowQuery]:
        """Searches that took long, the newest first, fetched a page at a time."""
        cursor = None
        while True:
            page = await self._client.ask(
                SlowQueries, get(path(SEARCH, "slow-queries"), {"limit": PAGE, "cursor": cursor})
            )
            for query in page.queries:
                yield query
            cursor = page.next_cursor
            if cursor is None:
                return

    async def advise(self, query: SearchQuery | None = None, *, slow_query_id: Id | None = None) -> Advice:
        """Replays the search, or a slow one that was kept, and what it could be rewritten to. Takes as long as some dozens of
        such searches."""
        request = AdviceRequest.model_validate({"query": query, "slow_query_id": slow_query_id})
        return await self._client.ask(Advice, post(path(SEARCH, "advise"), whole(request)))

    async def unindex(self, document_id: str) -> IndexRemoval:
        """The job by which the document is found no more; it stays stored. ProblemAnswer with status 404 for one that was never
        indexed."""
        return await self._client.ask(IndexRemoval, delete(path(SEARCH, "index-document", document_id)))

    async def indexes(self) -> Indexes:
        """The index and its earlier generations: `Reindex` builds one, and `RollBack` returns to the one before."""
        return await self._client.ask(Indexes, get(path(SEARCH, "indexes")))

    async def saved(self) -> tuple[NamedSavedSearch, ...]:
        """The saved searches, by name."""
        return (await self._client.ask(SavedSearches, get(path(SEARCH, SAVED)))).searches

    async def saved_search(self, name: str) -> NamedSavedSearch:
        return await self._client.ask(NamedSavedSearch, get(path(SEARCH, SAVED, name)))

    async def add_saved(self, name: str, query: SearchQuery, *, description: str = "") -> NamedSavedSearch:
        """Has the event `search.saved_matched` tell of new documents that match. ProblemAnswer with status 409 when there is
        one of this name."""
        new = NewSavedSearch(name=name, query=query, description=description)
        request = post(path(SEARCH, SAVED), whole(new), repeatable=False)
        return await self._client.ask(NamedSavedSearch, request)

    async def set_saved(self, name: str, query: SearchQuery, *, description: str = "") -> NamedSavedSearch:
        """The same, whether there is one of this name or not."""
        search = SavedSearch(query=query, description=description)
        return await self._client.ask(NamedSavedSearch, put(path(SEARCH, SAVED, name), whole(search)))

    async def remove_saved(self, name: str) -> None:
        await self._client.send(delete(path(SEARCH, SAVED, name)))


def _parameters(filters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: ",".join(map(str, value)) if isinstance(value, list | tuple) else value for name, value in filters.items()
    }
