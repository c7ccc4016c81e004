# Generated from asynchronous/search.py by `python -m producers.packaging`: edit that one.
"""Search: finding what was indexed."""

from producers.client.blocking.ports import Caller
from producers.client.requests import path, post, whole
from schemas.search import SearchQuery, SearchResults


class Search:
    """Your documents. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def query(self, query: SearchQuery) -> SearchResults:
        """A page of what matches, the best first, with snippets and facets as they were asked for."""
        return self._client.ask(SearchResults, post(path("search", "advanced"), whole(query)))
