"""What a cluster loses, and what brings it back."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from infrastructure.elasticsearch.engine import ElasticsearchEngine
from infrastructure.elasticsearch.lifecycle.snapshots import register, restore, take
from infrastructure.elasticsearch.probe import probe
from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument, IndexMissing
from schemas.health import PartState
from tests.contracts.search.searching import batches, document
from tests.elasticsearch.cluster import elasticsearch_cluster
from tests.elasticsearch.distribution import Distribution
from tests.elasticsearch.engine import ask, client_of, elasticsearch_engine, versions
from tests.waiting import GUARD_SECONDS

pytestmark = pytest.mark.anyio
TENANT = UUID(int=7)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_snapshot_brings_an_index_back_and_a_rebuild_what_it_lacks(
    elasticsearch_distribution: Distribution, elasticsearch_folder: Path, database_url: str, redis_url: str
) -> None:
    with elasticsearch_cluster(elasticsearch_folder, elasticsearch_distribution) as cluster:
        async with (
            client_of(cluster.urls) as client,
            elasticsearch_engine(cluster.urls, "kept", database_url, redis_url) as engine,
        ):
            await engine.rebuild(TENANT, batches(document("a", "word")))
            await register(client, "kept", str(cluster.snapshots / "kept"))
            await take(client, "kept", "one")
            await engine.index(TENANT, document("later", "word"))
            (index,) = ask(cluster.urls, "GET", "/kept-*")
            ask(cluster.urls, "DELETE", f"/{index}")
            with pytest.raises(IndexMissing):
                await versions(engine, TENANT)

            await restore(client, "kept", "one")

            assert await versions(engine, TENANT) == {"a": 1}
            await engine.rebuild(TENANT, batches(document("a", "word"), document("later", "word")))
            assert await versions(engine, TENANT) == {"a": 1, "later": 1}


async def test_two_nodes_go_on_with_one(
    elasticsearch_distribution: Distribution, elasticsearch_folder: Path, database_url: str, redis_url: str
) -> None:
    with elasticsearch_cluster(elasticsearch_folder, elasticsearch_distribution, size=2) as cluster:
        async with (
            client_of(cluster.urls) as client,
            elasticsearch_engine(cluster.urls, "two", database_url, redis_url) as engine,
        ):
            await engine.rebuild(TENANT, batches())
            await engine.rebuild(TENANT, batches(document("a", "word")))
            assert (await probe(client)).state is PartState.OK
            master = ask(cluster.urls, "GET", "/_cat/master?format=json")[0]["node"]
            next(node for node in cluster.nodes if node.name != master).kill()

            async with asyncio.timeout(GUARD_SECONDS):
                while not await _is_written(engine, document("b", "word")):
                    pass
            assert await versions(engine, TENANT) == {"a": 1, "b": 1}


async def _is_written(engine: ElasticsearchEngine, one: IndexedDocument) -> bool:
    try:
        await engine.index(TENANT, one)
    except Unavailable:
        return False
    return True
