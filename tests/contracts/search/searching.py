"""What the contract of search engines is told with: documents, and questions to an engine about them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from infrastructure.ports.search import IndexedDocument, Page, SearchEngine
from schemas.search import Facet, Mark, Match, SearchQuery, SearchResults

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


async def fill(engine: SearchEngine, documents: Iterable[IndexedDocument]) -> None:
    """Replaces all that ACME has: many documents are there at once."""
    await engine.rebuild(ACME, batches(*documents))


async def find(engine: SearchEngine, match: Match | None = None, **fields: object) -> SearchResults:
    page = await engine.search(ACME, SearchQuery.model_validate({"match": match, **fields}))
    return page.results


async def ids(engine: SearchEngine, match: Match | None = None, **fields: object) -> list[str]:
    results = await find(engine, match, **fields)
    return [hit.document_id for hit in results.hits]


async def pages(engine: SearchEngine, query: SearchQuery) -> AsyncIterator[Page]:
    """Page after page until there is nothing more."""
    page = await engine.search(ACME, query)
    yield page
    while page.after is not None:
        page = await engine.search(ACME, query, after=page.after)
        yield page


def counts(facet: Facet) -> dict[str, int]:
    return {value.value: value.count for value in facet.values}


def marked(text: str, marks: Sequence[Mark]) -> list[str]:
    """What a reader sees marked."""
    return [text[mark.start : mark.end] for mark in marks]
