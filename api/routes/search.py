"""Searches documents directly; indexing is a job."""

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http.responses import Answer, json_answer
from api.routes.commands import command_endpoint
from schemas.search import IndexDocument, SearchQuery, SearchResults


async def search(call: Call[SearchQuery, Empty]) -> Answer:
    """Searches the tenant's own index."""
    return json_answer(200, await call.ingress.search.search(call.tenant_id, call.body))


ENDPOINTS = (
    command_endpoint("/api/search/index-document", IndexDocument, Scope.JOBS_WRITE),
    Endpoint(
        method="POST",
        path="/api/search/advanced",
        aliases=("/api/search/query",),
        summary="Search documents",
        description="In the tenant's own documents, with filters, facets and snippets. Makes no job.",
        handle=search,
        body=SearchQuery,
        answers={200: SearchResults},
        scope=Scope.SEARCH_READ,
    ),
)
