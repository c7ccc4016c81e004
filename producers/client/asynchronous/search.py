"""Search: finding what was indexed."""

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import path, post, whole
from schemas.search import SearchQuery, SearchResults


class AsyncSearch:
    """Your documents. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def query(self, query: SearchQuery) -> SearchResults:
        """A page of what matches, the best first, with snippets and facets as they were asked for."""
        return await self._client.ask(SearchResults, post(path("search", "advanced"), whole(query)))
