"""The same question by hand, of Elasticsearch's own client, over the same index."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_bulk

from infrastructure.elasticsearch.fields import to_index
from infrastructure.ports.search import IndexedDocument
from tests.benchmarks.searches.corpus import FULL_PAGE, INDUSTRIES, MEDIA_TYPES, TAGS, TYPES

SINCE = 1_643_673_600_000_000
OWN: dict[str, dict[str, Any]] = {
    "document_type": {"terms": {"document_type": list(TYPES[:6])}},
    "industry": {"terms": {"industry": list(INDUSTRIES[:5])}},
    "language": {"terms": {"language": ["en"]}},
    "tags": {"terms": {"tags": list(TAGS[:30])}},
    "media_type": {"terms": {"media_type": list(MEDIA_TYPES[:3])}},
    "created_at": {"range": {"created_at_us": {"gte": SINCE}}},
}
"""Filters, by the field whose values are counted without them."""
OTHERS: tuple[dict[str, Any], ...] = (
    {"range": {"updated_at_us": {"gte": SINCE}}},
    {"range": {"characters": {"gte": 100}}},
    {"range": {"pages": {"gte": 1, "lt": 200}}},
    {"exists": {"field": "industry"}},
)
SOURCE = (
    "id",
    "version",
    "title",
    "document_type",
    "industry",
    "language",
    "tags",
    "created_at",
    "updated_at",
    "pages",
)


async def full_page(client: AsyncElasticsearch, index: str, text: str) -> Any:
    words = [
        {"multi_match": {"query": word, "type": "most_fields", "fields": ["title^2", "body", "title_en^0.5", "body_en^0.5"]}}
        for word in text.split()
    ]  # fmt: skip
    return await client.search(
        index=index,
        query={"bool": {"must": words, "filter": list(OTHERS)}},
        post_filter={"bool": {"filter": list(OWN.values())}},
        aggs={name: _facet(name) for name in OWN},
        highlight={"fields": {"title": {"number_of_fragments": 0}, "body": {"fragment_size": 160, "number_of_fragments": 1}}},
        size=FULL_PAGE["limit"],
        source_includes=list(SOURCE),
        track_total_hits=True,
    )  # fmt: skip


async def indexed(client: AsyncElasticsearch, index: str, batches: Sequence[Sequence[IndexedDocument]]) -> None:
    """In the helper's own batches; all of it can be found at the end."""

    async def actions() -> AsyncIterator[dict[str, Any]]:
        for batch in batches:
            for document in batch:
                yield {"_index": index, "_id": document.document_id, "_source": to_index(document)}

    await async_bulk(client, actions())
    await client.indices.refresh(index=index)


def _facet(name: str) -> dict[str, Any]:
    others = [one for field, one in OWN.items() if field != name]
    values: dict[str, Any] = {"terms": {"field": name, "size": 10}}
    if name == "created_at":
        values = {"date_histogram": {"field": name, "calendar_interval": "month", "min_doc_count": 1}}
    return {"filter": {"bool": {"filter": others}}, "aggs": {"values": values}}
