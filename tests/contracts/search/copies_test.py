"""What every search engine owes its users: of each document the newest copy alone, and of each tenant its own documents. Run
on each adapter."""

import asyncio
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.ports import Refused
from infrastructure.ports.search import IndexMissing, SearchEngine
from schemas.search import AllTerms, SearchQuery
from tests.contracts.search.conftest import SearchAdapter
from tests.contracts.search.searching import ACME, batches, document, find, ids, index

pytestmark = pytest.mark.anyio


async def test_a_newer_version_replaces_the_older_one(engine: SearchEngine) -> None:
    await index(engine, document("a", "old", version=1), document("a", "new", version=2))

    assert await ids(engine, AllTerms(text="old")) == []
    assert await ids(engine, AllTerms(text="new")) == ["a"]


async def test_an_older_version_that_comes_late_is_dropped(engine: SearchEngine) -> None:
    await index(engine, document("a", "new", version=2), document("a", "old", version=1))

    assert await ids(engine, AllTerms(text="old")) == []
    assert (await find(engine)).total == 1


async def test_indexing_again_leaves_one_copy(engine: SearchEngine) -> None:
    await index(engine, *[document("a", "same")] * 3)

    assert (await find(engine)).total == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), max_size=12))
async def test_whatever_the_order_the_newest_version_of_each_document_stands_alone(
    search_adapter: SearchAdapter, tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, int]]
) -> None:
    async with search_adapter(tmp_path_factory.mktemp("order")) as engine:
        await engine.rebuild(ACME, batches())
        await index(engine, *(document(name, f"v{version}", version=version) for name, version in writes))
        hits = (await find(engine, limit=100)).hits

    newest: dict[str, int] = {}
    for name, version in writes:
        newest[name] = max(version, newest.get(name, 0))
    assert sorted((hit.document_id, hit.version) for hit in hits) == sorted(newest.items())


async def test_no_tenant_sees_anothers_documents(engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(document("a", "secret of the other")))
    await index(engine, document("a", "ours"))

    assert await ids(engine, AllTerms(text="secret")) == []
    assert (await engine.search(other, SearchQuery())).results.total == 1
    assert (await find(engine, facets=("document_type",))).facets[0].values[0].count == 1


async def test_a_tenant_without_documents_finds_nothing(engine: SearchEngine) -> None:
    assert (await engine.search(uuid4(), SearchQuery(match=AllTerms(text="word")))).results.total == 0


async def test_indexing_without_an_index_asks_for_one(engine: SearchEngine) -> None:
    with pytest.raises(IndexMissing):
        await engine.index(uuid4(), document("a"))


async def test_a_document_that_can_never_be_indexed_is_refused_alone(engine: SearchEngine) -> None:
    good = [document(f"d{n}") for n in range(5)]
    bad = [document("x", "a lone \ud800 surrogate"), document("y", title="\udfff"), document("z", tags=("\ud83d",))]

    outcomes = await asyncio.gather(*(engine.index(ACME, one) for one in [*good, *bad]), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None)] * 5 + [Refused] * 3
    assert sorted(await ids(engine)) == [one.document_id for one in good]
