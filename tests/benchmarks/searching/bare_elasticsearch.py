"""The peer on Elasticsearch's own client: on the product's own index, and for writes on one with the same mappings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_bulk

from infrastructure.elasticsearch.fields import microseconds, to_index
from infrastructure.ports.search import IndexedDocument
from tests.benchmarks.searching.bare import Answer, Prepared
from tests.benchmarks.searching.corpus import LANGUAGES
from tests.benchmarks.searching.questions import HITS, SNIPPET_CHARACTERS, Question

MOST_MONTHS, MOST_VALUES = 400, 10
CHUNK = 500
FIELDS = (
    *("title^2", "body"),
    *(f"{field}_{language}^{boost}" for language in LANGUAGES for field, boost in (("title", 1), ("body", 0.5))),
)
SOURCE = (
    *("id", "version", "title", "document_type", "industry", "language", "tags", "media_type"),
    *("characters", "pages", "created_at", "updated_at"),
)


@dataclass(slots=True)
class BareElasticsearch:
    client: AsyncElasticsearch
    index: str
    growing: str

    @classmethod
    async def beside(cls, client: AsyncElasticsearch, index: str) -> "BareElasticsearch":
        """On the product's index of this name."""
        bare = cls(client, index, "")
        bare.growing = await bare._new()
        return bare

    async def page(self, question: Question) -> Answer:
        answer = await self.client.search(index=self.index, body=_request(question))
        aggregations = answer["aggregations"]
        return Answer(
            total=answer["hits"]["total"]["value"],
            hits=[{**hit["_source"], "marked": hit["highlight"]} for hit in answer["hits"]["hits"]],
            facets={
                name: {bucket["key"]: bucket["doc_count"] for bucket in one["values"]["buckets"]}
                for name, one in aggregations.items()
            },
        )

    async def page_beside_others(self, question: Question) -> Answer:
        return await self.page(question)

    def prepare(self, documents: Sequence[IndexedDocument]) -> Prepared:
        return [{"_id": one.document_id, "_source": to_index(one)} for one in documents]

    async def add(self, prepared: Prepared) -> None:
        await self._add(self.growing, prepared)

    async def build(self, prepared: Prepared) -> None:
        await self._add(await self._new(), prepared)

    async def _add(self, index: str, prepared: Prepared) -> None:
        await async_bulk(self.client, prepared, index=index, chunk_size=CHUNK)
        await self.client.indices.refresh(index=index)

    async def _new(self) -> str:
        """An empty index with the product's mappings and settings."""
        name = f"bare-{uuid4().hex}"
        found = (await self.client.indices.get(index=self.index))[self.index]
        settings = found["settings"]["index"]
        kept = {one: settings[one] for one in ("analysis", "number_of_shards", "refresh_interval") if one in settings}
        await self.client.indices.create(
            index=name, mappings=found["mappings"], settings={"index": {**kept, "number_of_replicas": 0}}
        )
        return name


def _request(question: Question) -> dict[str, Any]:
    words = [{"multi_match": {"query": word, "type": "most_fields", "fields": FIELDS}} for word in question.words]
    own = _facet_filters(question)
    return {
        "query": {"bool": {"must": words, "filter": _other_filters(question)}},
        "post_filter": {"bool": {"filter": list(own.values())}},
        "size": HITS,
        "track_total_hits": True,
        "_source": SOURCE,
        "highlight": {
            "fields": {
                "title": {"number_of_fragments": 0},
                "body": {
                    "fragment_size": SNIPPET_CHARACTERS,
                    "number_of_fragments": 1,
                    "no_match_size": SNIPPET_CHARACTERS,
                },
            }
        },
        "aggs": {name: _facet(name, own) for name in own},
    }


def _facet_filters(question: Question) -> dict[str, Any]:
    return {
        "document_type": {"terms": {"document_type": list(question.document_types)}},
        "industry": {"terms": {"industry": list(question.industries)}},
        "language": {"terms": {"language": list(question.languages)}},
        "tags": {"terms": {"tags": list(question.any_tags)}},
        "media_type": {"terms": {"media_type": list(question.media_types)}},
        "created_at": {"range": {"created_at_us": {"gte": microseconds(question.created_since)}}},
    }


def _other_filters(question: Question) -> list[dict[str, Any]]:
    return [
        {"term": {"tags": question.tag}},
        {"range": {"updated_at_us": {"lt": microseconds(question.updated_before)}}},
        {"range": {"characters": {"gte": question.characters_at_least}}},
        {"range": {"pages": {"lt": question.pages_below}}},
    ]


def _facet(name: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    others = [one for field, one in filters.items() if field != name]
    values: dict[str, Any] = {"terms": {"field": name, "size": MOST_VALUES}}
    if name == "created_at":
        values = {"date_histogram": {"field": name, "calendar_interval": "month", "min_doc_count": 1}}
    return {"filter": {"bool": {"filter": others}}, "aggs": {"values": values}}
