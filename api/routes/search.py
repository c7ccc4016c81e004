"""Searches documents directly; indexing is a job."""

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http.responses import Answer, json_answer
from schemas.search import SearchQuery, SearchResults


async def search(call: Call[SearchQuery, Empty]) -> Answer:
    """Searches the tenant's own index."""
    return json_answer(200, await call.ingress.search.search(call.tenant_id, call.body))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/search/advanced",
        while_suspended=True,
        aliases=("/api/search/query",),
        summary="Search documents",
        description="In the tenant's own documents, with filters, facets and snippets. Makes no job.",
        handle=search,
        body=SearchQuery,
        answers={200: SearchResults},
        scope=Scope.SEARCH_READ,
    ),
)
