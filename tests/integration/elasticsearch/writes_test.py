"""What is acknowledged is there, once, whatever the server does meanwhile: it rejects, fills up, or loses a node."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from infrastructure.elasticsearch.engine import ElasticsearchEngine
from infrastructure.elasticsearch.writing.congestion import Congestion
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.search import IndexMissing
from schemas.search import AllTerms, SearchQuery
from tests.contracts.search.searching import batches, document
from tests.elasticsearch.cluster import elasticsearch_cluster
from tests.elasticsearch.distribution import Distribution
from tests.elasticsearch.engine import ask, elasticsearch_engine
from tests.elasticsearch.rejecting import rejecting

pytestmark = pytest.mark.anyio
TENANT = UUID(int=7)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(
    elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str
) -> AsyncIterator[ElasticsearchEngine]:
    async with elasticsearch_engine(elasticsearch_url, elasticsearch_app, database_url, redis_url) as engine:
        await engine.rebuild(TENANT, batches())
        yield engine


async def total(engine: ElasticsearchEngine, tenant_id: UUID = TENANT, word: str = "word") -> int:
    return (await engine.search(tenant_id, SearchQuery(match=AllTerms(text=word)))).results.total


async def test_documents_that_come_at_the_same_time_share_requests_and_all_are_found(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str
) -> None:
    await asyncio.gather(*(engine.index(TENANT, document(f"d{n}", "word")) for n in range(2_500)))

    assert await total(engine) == 2_500
    stats = ask(elasticsearch_url, "GET", f"/{elasticsearch_app}-*/_stats/bulk")["_all"]["primaries"]["bulk"]
    assert stats["total_operations"] < 100


async def test_of_changes_of_one_document_at_the_same_time_the_newest_stands(engine: ElasticsearchEngine) -> None:
    versions = [3, 1, 9, 2, 8, 4, 7, 5, 6]
    await asyncio.gather(*(engine.index(TENANT, document("a", f"word v{one}", version=one)) for one in versions))

    assert (await total(engine), await total(engine, word="v9")) == (1, 1)


async def test_a_rejecting_server_is_asked_less_and_nothing_is_lost(
    elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str
) -> None:
    congestion = Congestion(first=8, most=8)
    with rejecting(elasticsearch_url, rejections=4) as url:
        async with elasticsearch_engine(
            url, elasticsearch_app, database_url, redis_url, congestion=congestion
        ) as engine:
            await engine.rebuild(TENANT, batches())
            await asyncio.gather(*(engine.index(TENANT, document(f"d{n}", "word")) for n in range(1_500)))

            assert await total(engine) == 1_500
            assert congestion.fewest < 8
            await asyncio.gather(*(engine.index(TENANT, document(f"e{n}", "word")) for n in range(30)))
            assert await total(engine) == 1_530


async def test_a_full_server_says_so_and_takes_documents_again_when_it_has_room(
    engine: ElasticsearchEngine, elasticsearch_url: str
) -> None:
    other = uuid4()
    await engine.rebuild(other, batches())
    (state,) = await engine.states(TENANT)
    blocked = "index.blocks.read_only_allow_delete"
    ask(elasticsearch_url, "PUT", f"/{state.name}-*/_settings", {blocked: True})
    with pytest.raises(Unavailable, match="a disk is nearly full"):
        await engine.index(TENANT, document("a", "word"))
    await engine.index(other, document("a", "word"))
    assert await total(engine, other) == 1
    ask(elasticsearch_url, "PUT", f"/{state.name}-*/_settings", {blocked: None})
    await engine.index(TENANT, document("a", "word"))

    assert await total(engine) == 1


async def test_a_document_that_can_never_be_taken_is_refused_with_the_reason_and_the_others_are_kept(
    engine: ElasticsearchEngine,
) -> None:
    outcomes = await asyncio.gather(
        engine.index(TENANT, document("good", "word")),
        engine.index(TENANT, document("x" * 600, "secret")),
        return_exceptions=True,
    )

    assert outcomes[0] is None
    assert isinstance(outcomes[1], Refused)
    assert "secret" not in str(outcomes[1])
    assert await total(engine) == 1


async def test_a_lost_index_is_missed_by_searches_and_writes_and_rebuilt(
    engine: ElasticsearchEngine, elasticsearch_url: str
) -> None:
    (state,) = await engine.states(TENANT)
    (index,) = ask(elasticsearch_url, "GET", f"/{state.name}-*")
    ask(elasticsearch_url, "DELETE", f"/{index}")
    with pytest.raises(IndexMissing):
        await engine.index(TENANT, document("a", "word"))
    with pytest.raises(IndexMissing):
        await total(engine)

    assert await engine.rebuild(TENANT, batches(document("a", "word")), unless_there=True) is not None

    assert await total(engine) == 1
    await engine.index(TENANT, document("b", "word"))
    assert await total(engine) == 2


async def test_a_node_killed_amid_writes_costs_nothing_that_was_acknowledged(
    elasticsearch_distribution: Distribution, elasticsearch_folder: Path, database_url: str, redis_url: str
) -> None:
    with elasticsearch_cluster(elasticsearch_folder, elasticsearch_distribution, size=3) as cluster:
        async with elasticsearch_engine(cluster.urls, "killed", database_url, redis_url, request_seconds=10) as engine:
            await engine.rebuild(TENANT, batches())
            await engine.rebuild(TENANT, batches())
            primary = cluster.nodes[0].call("GET", "/_cat/shards/killed-*?format=json&h=index,prirep,node").json()
            named = next(one["node"] for one in primary if one["prirep"] == "p")
            killed = next(node for node in cluster.nodes if node.name == named)

            async def write(number: int) -> str:
                for _ in range(20):
                    try:
                        await engine.index(TENANT, document(f"d{number}", "word"))
                    except Unavailable:
                        continue
                    else:
                        return f"d{number}"
                raise AssertionError("it never came back")

            first = [asyncio.create_task(write(number)) for number in range(500)]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            killing = asyncio.create_task(asyncio.to_thread(killed.kill))
            rest = [asyncio.create_task(write(number)) for number in range(500, 1_000)]
            acknowledged = set(await asyncio.gather(*first, *rest))
            await killing

            assert await total(engine) == len(acknowledged) == 1_000
