"""Which documents an index has already, as an attempt before has left it."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument, SearchEngine
from schemas.search import MAX_HITS, Filters, Hit, SearchQuery, Sort

AT_ONCE: Final = MAX_HITS


async def not_there_yet(
    documents: Sequence[IndexedDocument], tenant_id: UUID, engine: SearchEngine
) -> list[IndexedDocument]:
    """Those that the index doesn't have as they are. All of them if it can't be asked: to write one twice changes nothing."""
    left: list[IndexedDocument] = []
    for some in _portions(documents):
        ids = tuple(one.document_id for one in some)
        query = SearchQuery(filters=Filters(document_ids=ids), highlight=False, sort=Sort.NEWEST, limit=AT_ONCE)
        try:
            hits = (await engine.search(tenant_id, query)).results.hits
        except Unavailable:
            return list(documents)
        there = {hit.document_id: hit for hit in hits}
        left += [one for one in some if (hit := there.get(one.document_id)) is None or not _has(hit, one)]
    return left


def _has(hit: Hit, document: IndexedDocument) -> bool:
    said = (document.version, document.title, document.document_type, document.industry, document.language)
    return (hit.version, hit.title, hit.document_type, hit.industry, hit.language) == said and set(hit.tags) == set(
        document.tags
    )


def _portions(documents: Sequence[IndexedDocument]) -> Iterator[Sequence[IndexedDocument]]:
    for start in range(0, len(documents), AT_ONCE):
        yield documents[start : start + AT_ONCE]
