"""Searches documents directly; indexing is a job."""

from collections.abc import Mapping

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http.responses import Answer, json_answer
from infrastructure.postgres.documents import queries
from schemas.search import SearchQuery, SearchResults


async def search(call: Call[SearchQuery, Empty]) -> Answer:
    """Searches the tenant's own index. It has a deleted document until the job that removes it has run, which may be held or
    wait: so what was deleted is left out here."""
    found = (await call.ingress.search.search(call.tenant_id, call.body)).results
    if not found.hits:
        return json_answer(200, found)
    deleted = await call.orm.run(queries.deleted_versions, [hit.document_id for hit in found.hits])
    return json_answer(200, without_deleted(found, deleted))


def without_deleted(found: SearchResults, deleted: Mapping[str, int]) -> SearchResults:
    """The results without the hits whose version, or a newer one, was deleted. Facets count them until they are removed."""
    hits = tuple([hit for hit in found.hits if hit.version > deleted.get(hit.document_id, 0)])
    hidden = len(found.hits) - len(hits)
    return found.model_copy(update={"hits": hits, "total": found.total - hidden}) if hidden else found


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
