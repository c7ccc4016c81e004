"""What the contract of search engines is told with: documents, and questions to an engine about them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from infrastructure.ports.search import IndexedDocument, SearchEngine
from schemas.search import Match, SearchQuery, SearchResults

ACME = UUID(int=1)
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def document(document_id: str, text: str = "", **fields: object) -> IndexedDocument:
    plain = IndexedDocument(
        document_id=document_id,
        version=1,
        title="Untitled",
        text=text,
        document_type="contract",
        industry=None,
        language="en",
        tags=(),
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]  # a test names its fields itself


async def batches(*documents: IndexedDocument) -> AsyncIterator[Sequence[IndexedDocument]]:
    yield documents


async def index(engine: SearchEngine, *documents: IndexedDocument, tenant_id: UUID = ACME) -> None:
    for one in documents:
        await engine.index(tenant_id, one)


async def find(engine: SearchEngine, match: Match | None = None, **fields: object) -> SearchResults:
    page = await engine.search(ACME, SearchQuery.model_validate({"match": match, **fields}))
    return page.results


async def ids(engine: SearchEngine, match: Match | None = None, **fields: object) -> list[str]:
    results = await find(engine, match, **fields)
    return [hit.document_id for hit in results.hits]
