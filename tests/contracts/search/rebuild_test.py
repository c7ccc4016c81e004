"""What every search engine owes whoever rebuilds an index: no pause, no lost write, and a way back. Run on each adapter."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from infrastructure.ports.search import IndexedDocument, RebuildDiffers, SearchEngine
from schemas.search import AllTerms, SearchQuery
from tests.contracts.search.searching import ACME, batches, document, fill, find, ids, index
from tests.waiting import GUARD_SECONDS

pytestmark = pytest.mark.anyio
WORD = AllTerms(text="word")


class Source:
    """Documents that come in two halves. Between them the test does as it likes."""

    def __init__(self, *documents: IndexedDocument) -> None:
        self._documents = documents
        self.half_read, self.go_on = asyncio.Event(), asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Sequence[IndexedDocument]]:
        half = len(self._documents) // 2
        yield self._documents[:half]
        self.half_read.set()
        await self.go_on.wait()
        yield self._documents[half:]


class Rebuilding:
    """A rebuild that stands still until the block's end."""

    def __init__(self, engine: SearchEngine, *documents: IndexedDocument) -> None:
        self._engine = engine
        self._source = Source(*documents)

    async def __aenter__(self) -> None:
        self._rebuild = asyncio.ensure_future(self._engine.rebuild(ACME, aiter(self._source)))
        async with asyncio.timeout(GUARD_SECONDS):
            await self._source.half_read.wait()

    async def __aexit__(self, *_: object) -> None:
        self._source.go_on.set()
        await self._rebuild


async def test_a_rebuilt_index_has_the_given_documents_and_no_others(engine: SearchEngine) -> None:
    await index(engine, document("old", "word"))

    await engine.rebuild(ACME, batches(*(document(f"d{n}", "word") for n in range(5))))

    assert sorted(await ids(engine, AllTerms(text="word"))) == [f"d{n}" for n in range(5)]


async def test_a_rebuild_leaves_a_usable_index_alone_when_told_to(engine: SearchEngine) -> None:
    await index(engine, document("a"))

    await engine.rebuild(ACME, batches(), unless_there=True)

    assert await ids(engine) == ["a"]


async def test_a_rebuild_that_fails_changes_nothing(engine: SearchEngine) -> None:
    async def broken() -> AsyncIterator[Sequence[IndexedDocument]]:
        yield [document("new")]
        raise ConnectionError("the source went away")

    await index(engine, document("a"))

    with pytest.raises(ConnectionError):
        await engine.rebuild(ACME, broken())

    assert await ids(engine) == ["a"]
    await index(engine, document("b"))
    assert sorted(await ids(engine)) == ["a", "b"]


async def test_a_rebuild_tells_what_it_made(engine: SearchEngine) -> None:
    rebuilt = await engine.rebuild(ACME, batches(document("a"), document("b")))

    assert rebuilt is not None
    assert rebuilt.documents == 2
    assert rebuilt.seconds >= 0
    assert (await engine.states(ACME))[0].generation == rebuilt.generation
    assert await engine.rebuild(ACME, batches(document("c")), unless_there=True) is None


async def test_many_rebuilds_at_once_leave_one_index(engine: SearchEngine) -> None:
    documents = [document(f"d{n}", "word") for n in range(10)]

    await asyncio.gather(*(engine.rebuild(ACME, batches(*documents)) for _ in range(5)))

    assert len(await ids(engine, WORD)) == 10


# Writes while an index is rebuilt


async def test_searches_are_answered_from_the_old_index_until_the_new_one_is_whole(engine: SearchEngine) -> None:
    await index(engine, document("old", "word"))

    async with Rebuilding(engine, document("new-1", "word"), document("new-2", "word")):
        assert await ids(engine, WORD) == ["old"]

    assert sorted(await ids(engine, WORD)) == ["new-1", "new-2"]


async def test_what_is_written_meanwhile_is_found_at_once_and_afterwards(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"), document("b", "word"))

    async with Rebuilding(engine, document("a", "word"), document("b", "word")):
        await index(engine, document("c", "word"), document("a", "other", version=2))
        assert sorted(await ids(engine, WORD)) == ["b", "c"]

    assert sorted(await ids(engine, WORD)) == ["b", "c"]
    assert [(hit.document_id, hit.version) for hit in (await find(engine, AllTerms(text="other"))).hits] == [("a", 2)]


async def test_what_is_deleted_meanwhile_is_gone_at_once_and_afterwards(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"), document("b", "word"))

    async with Rebuilding(engine, document("a", "word"), document("b", "word")):
        await engine.delete(ACME, "a", 1)
        await engine.delete(ACME, "b", 1)
        assert await ids(engine) == []

    assert await ids(engine) == []
    await index(engine, document("a", "word"))
    assert await ids(engine) == []


async def test_what_was_deleted_before_is_not_brought_back_by_a_source_that_was_read_earlier(
    engine: SearchEngine,
) -> None:
    await engine.delete(ACME, "a", 2)

    await fill(engine, [document("a", "word", version=2), document("b", "word")])

    assert await ids(engine, WORD) == ["b"]


async def test_a_newer_version_of_the_source_outlives_an_older_one_written_meanwhile(engine: SearchEngine) -> None:
    async with Rebuilding(engine, document("a", "newer", version=3), document("b", version=3)):
        await index(engine, document("a", "older", version=2), document("b", version=2))
        await engine.delete(ACME, "b", 1)

    assert {hit.document_id: hit.version for hit in (await find(engine)).hits} == {"a": 3, "b": 3}


async def test_what_is_written_meanwhile_at_the_same_version_stands(engine: SearchEngine) -> None:
    async with Rebuilding(engine, document("a", title="Old"), document("b", title="Old")):
        await index(engine, document("a", title="New"), document("b", title="New"))

    assert [hit.title for hit in (await find(engine)).hits] == ["New", "New"]


async def test_a_rebuild_that_fails_keeps_what_was_written_meanwhile(engine: SearchEngine) -> None:
    async def broken() -> AsyncIterator[Sequence[IndexedDocument]]:
        yield [document("new")]
        await index(engine, document("meanwhile"))
        raise ConnectionError("the source went away")

    with pytest.raises(ConnectionError):
        await engine.rebuild(ACME, broken())

    assert await ids(engine) == ["meanwhile"]


# Verification


async def test_a_rebuilt_index_must_find_what_the_old_one_found(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"), document("b", "word"))

    with pytest.raises(RebuildDiffers, match="b"):
        await engine.rebuild(ACME, batches(document("a", "word"), document("b")), golden=[SearchQuery(match=WORD)])

    assert sorted(await ids(engine, WORD)) == ["a", "b"]
    await index(engine, document("c", "word"))
    assert len(await ids(engine, WORD)) == 3


async def test_a_query_that_found_something_may_not_find_nothing(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"))

    with pytest.raises(RebuildDiffers):
        await engine.rebuild(ACME, batches(document("b")), golden=[SearchQuery(match=WORD)])

    assert await ids(engine) == ["a"]


async def test_a_rebuilt_index_may_find_more_and_what_is_no_document_any_more_need_not_be_found(
    engine: SearchEngine,
) -> None:
    await index(engine, document("a", "word"), document("gone", "word"))
    golden = [
        SearchQuery(match=WORD),
        SearchQuery(match=WORD, filters={"document_types": ["contract"]}, sort="oldest", limit=1),
        SearchQuery(match=AllTerms(text="nothing")),
        SearchQuery(limit=0),
        SearchQuery(),
    ]

    rebuilt = await engine.rebuild(ACME, batches(document("a", "word"), document("b", "word")), golden=golden)

    assert rebuilt is not None
    assert sorted(await ids(engine, WORD)) == ["a", "b"]


async def test_what_is_deleted_while_it_is_verified_is_no_difference(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"), document("b", "word"))

    async def source() -> AsyncIterator[Sequence[IndexedDocument]]:
        yield [document("a", "word"), document("b", "word")]
        await engine.delete(ACME, "a", 1)

    assert await engine.rebuild(ACME, source(), golden=[SearchQuery(match=WORD)])

    assert await ids(engine, WORD) == ["b"]
