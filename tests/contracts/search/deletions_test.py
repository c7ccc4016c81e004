"""What every search engine owes whoever deletes a document: it is found no more, whatever comes late. Run on each adapter."""

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.ports.search import IndexMissing, SearchEngine
from schemas.search import AllTerms, NoneOf
from tests.contracts.search.conftest import SearchAdapter
from tests.contracts.search.searching import ACME, batches, document, find, ids, index

pytestmark = pytest.mark.anyio


async def test_a_deleted_document_is_found_by_no_query(engine: SearchEngine) -> None:
    await index(engine, document("a", "word", industry="law"), document("b", "other"))

    await engine.delete(ACME, "a", 1)

    assert await ids(engine) == ["b"]
    assert await ids(engine, AllTerms(text="word")) == []
    assert await ids(engine, NoneOf(clauses=(AllTerms(text="nothing"),))) == ["b"]
    results = await find(
        engine, facets=("document_type", "industry"), filters={"created": {"before": "2100-01-01T00:00:00Z"}}
    )
    assert (results.total, [facet.values for facet in results.facets][1]) == (1, ())
    assert [value.count for value in results.facets[0].values] == [1]


async def test_an_older_version_that_comes_late_brings_nothing_back(engine: SearchEngine) -> None:
    await index(engine, document("a", "word", version=3))
    await engine.delete(ACME, "a", 4)

    await index(engine, *(document("a", "word", version=version) for version in (3, 4, 1)))

    assert (await find(engine)).total == 0


async def test_a_document_deleted_before_it_was_indexed_stays_away(engine: SearchEngine) -> None:
    await engine.delete(ACME, "a", 2)

    await index(engine, document("a", version=2))

    assert (await find(engine)).total == 0


async def test_a_newer_version_revives_its_document_and_outlives_a_late_deletion(engine: SearchEngine) -> None:
    await engine.delete(ACME, "a", 2)
    await index(engine, document("a", "new", version=3))
    await engine.delete(ACME, "a", 2)

    assert await ids(engine, AllTerms(text="new")) == ["a"]


async def test_deleting_again_and_deleting_what_isnt_there_changes_nothing(engine: SearchEngine) -> None:
    await index(engine, document("a"), document("b"))

    for _ in range(2):
        await engine.delete(ACME, "a", 1)
        await engine.delete(ACME, "c", 7)

    assert await ids(engine) == ["b"]


async def test_a_rebuilt_index_remembers_what_was_deleted(engine: SearchEngine) -> None:
    for name in ("d0", "d1"):
        await engine.delete(ACME, name, 2)
    await engine.rebuild(ACME, batches(document("b")))
    await engine.rebuild(ACME, batches(document("b")))

    await index(engine, document("d0", version=1), document("d1", version=2))

    assert await ids(engine) == ["b"]


async def test_deleting_without_an_index_asks_for_one(engine: SearchEngine) -> None:
    with pytest.raises(IndexMissing):
        await engine.delete(uuid4(), "a", 1)


async def test_one_tenants_deletion_leaves_anothers_document(engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(document("a")))

    await engine.delete(ACME, "a", 9)

    assert await ids(engine) == []
    await engine.index(other, document("a", version=2))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5), st.booleans()), max_size=12))
async def test_whatever_the_order_the_newest_change_of_each_document_counts(
    search_adapter: SearchAdapter, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, bool]]
) -> None:
    async with search_adapter(tmp_path_factory.mktemp("order")) as engine:
        await engine.rebuild(ACME, batches())
        for name, version, deleted in changes:
            if deleted:
                await engine.delete(ACME, name, version)
            else:
                await index(engine, document(name, version=version))
        hits = (await find(engine, limit=100)).hits

    last: dict[str, tuple[int, bool]] = {}
    for name, version, deleted in changes:
        last[name] = max(last.get(name, (0, False)), (version, deleted))
    expected = sorted((name, version) for name, (version, deleted) in last.items() if not deleted)
    assert sorted((hit.document_id, hit.version) for hit in hits) == expected
