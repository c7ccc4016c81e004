"""Templates: put once, left alone after that, mended when somebody changed them."""

import asyncio
from datetime import date
from typing import Any
from uuid import uuid4

import httpx
import pytest
from elasticsearch import BadRequestError

from infrastructure.elasticsearch.client import elasticsearch
from infrastructure.elasticsearch.names import index_name
from infrastructure.elasticsearch.setup import Difference, compare, set_up
from infrastructure.settings import Settings

DOCUMENT: dict[str, Any] = {
    "id": "lease-1",
    "version": 3,
    "title": "Mietverträge",
    "body": "Der Mieter zahlt die Miete.",
    "title_exact": "Mietverträge",
    "title_de": "Mietverträge",
    "body_de": "Der Mieter zahlt die Miete.",
    "document_type": "contract",
    "industry": "legal",
    "language": ["de-CH", "de"],
    "tags": ["2026"],
    "media_type": "application/pdf",
    "created_at": "2026-03-01T12:00:00.123456Z",
    "updated_at": "2026-03-01T12:00:00Z",
    "characters": 27,
    "pages": 1,
}


def _differences(settings: Settings) -> set[Difference]:
    async def found() -> set[Difference]:
        async with elasticsearch(settings) as client:
            return {one.difference for one in await set_up(client, settings.elasticsearch_app)}

    return asyncio.run(found())


def test_a_second_set_up_changes_nothing(settings: Settings, elasticsearch_url: str) -> None:
    assert _differences(settings) == {Difference.MISSING}
    before = _stored(settings, elasticsearch_url)

    assert _differences(settings) == {Difference.NONE}
    assert _stored(settings, elasticsearch_url) == before  # The server notes when a template was last put.


def _stored(settings: Settings, url: str) -> tuple[Any, Any]:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        app = settings.elasticsearch_app
        return http.get(f"/_component_template/{app}-*").json(), http.get(f"/_index_template/{app}-*").json()


@pytest.mark.parametrize("changed", [
    {"settings": {"index": {"number_of_shards": 5}}},
    {"settings": {"index": {"number_of_shards": 1}}, "mappings": {"dynamic": True}},
])  # fmt: skip
def test_what_somebody_changed_is_put_right(changed: Any, settings: Settings, elasticsearch_url: str) -> None:
    _differences(settings)
    with httpx.Client(base_url=elasticsearch_url, trust_env=False, timeout=60) as http:
        path = f"/_component_template/{settings.elasticsearch_app}-documents-settings"
        assert http.put(path, json={"template": changed, "version": 1}).is_success

    async def mended() -> list[Difference]:
        async with elasticsearch(settings) as client:
            was = [one.difference for one in await set_up(client, settings.elasticsearch_app)]
            now = {one.difference for one in await compare(client, settings.elasticsearch_app)}
            assert now == {Difference.NONE}
            return was

    assert asyncio.run(mended()) == [Difference.DIFFERENT, Difference.NONE, Difference.NONE]


def test_a_newer_releases_templates_stay(settings: Settings, elasticsearch_url: str) -> None:
    _differences(settings)
    with httpx.Client(base_url=elasticsearch_url, trust_env=False, timeout=60) as http:
        path = f"/_component_template/{settings.elasticsearch_app}-documents-settings"
        newer = {"template": {"settings": {"index": {"number_of_shards": 2}}}, "version": 1_000}
        assert http.put(path, json=newer).is_success

        assert Difference.NEWER in _differences(settings)
        assert http.get(path).json()["component_templates"][0]["component_template"]["version"] == 1_000


def test_an_index_takes_our_documents_and_no_field_that_we_dont_know(settings: Settings) -> None:
    name = str(index_name(settings.elasticsearch_app, uuid4(), 1, date(2026, 3, 1), 1))

    async def index() -> dict[str, Any]:
        async with elasticsearch(settings) as client:
            await set_up(client, settings.elasticsearch_app)
            await client.indices.create(index=name)
            await client.index(index=name, id="lease-1", document=DOCUMENT, refresh=True)
            with pytest.raises(BadRequestError):
                await client.index(index=name, id="2", document={**DOCUMENT, "unknown": 1})
            shown = await client.indices.get(index=name, flat_settings=True)
            queries: dict[str, dict[str, Any]] = {
                "stem": {"match": {"title_de": "Mietvertrag"}},
                "foreign": {"match": {"title_en": "Mietvertrag"}},
                "folded": {"match": {"title": "MIETVERTRAGE"}},
                "word": {"match_phrase": {"body": "zahlt die"}},
                "beginning": {"match_bool_prefix": {"title": "mietver"}},
                "middle": {"match_bool_prefix": {"title": "vertr"}},
                "exact": {"term": {"title_exact": "Mietverträge"}},
                "language": {"term": {"language": "de"}},
                "day": {"range": {"created_at": {"gte": "2026-03-01", "lt": "2026-03-02"}}},
            }
            found = {}
            for what, query in queries.items():
                hits = (await client.search(index=name, query=query))["hits"]["hits"]
                found[what] = [hit["_id"] for hit in hits]
                assert not any(field.startswith(("title_", "body_")) for hit in hits for field in hit["_source"])
            return {"found": found, "settings": shown[name]["settings"]}

    answer = asyncio.run(index())
    assert answer["found"] == {
        "stem": ["lease-1"],
        "foreign": [],
        "folded": ["lease-1"],
        "word": ["lease-1"],
        "beginning": ["lease-1"],
        "middle": [],
        "exact": ["lease-1"],
        "language": ["lease-1"],
        "day": ["lease-1"],
    }
    assert answer["settings"]["index.number_of_shards"] == "1"
