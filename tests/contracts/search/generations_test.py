"""What every search engine owes whoever looks after an index: its generations, the way back to the one before, and an end
of all of them. Run on each adapter."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument, IndexMissing, RebuildDiffers, SearchEngine
from schemas.search import AllTerms, SearchQuery
from tests.contracts.search.searching import ACME, batches, document, fill, find, ids, index

pytestmark = pytest.mark.anyio
WORD = AllTerms(text="word")


async def test_the_generation_before_answers_again_with_all_that_was_written_since(engine: SearchEngine) -> None:
    await index(engine, *(document(name, "word old") for name in ("kept", "changed", "deleted", "dropped")))
    before = (await engine.states(ACME))[0]
    await fill(engine, [document(name, "new") for name in ("kept", "changed", "deleted")])
    await index(engine, document("changed", "word changed", version=2), document("added", "word"))
    await engine.delete(ACME, "deleted", 1)

    assert await engine.roll_back(ACME) == before.generation

    assert sorted(await ids(engine, WORD)) == ["added", "changed", "dropped", "kept"]
    assert await ids(engine, AllTerms(text="new")) == []
    await index(engine, document("deleted", "word"))
    assert len(await ids(engine, WORD)) == 4


async def test_what_was_rolled_back_stays_so_and_can_be_written_and_rebuilt(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"))
    await fill(engine, [document("b", "word")])
    await engine.roll_back(ACME)

    assert await engine.roll_back(ACME) is None
    assert await ids(engine, WORD) == ["a"]
    await index(engine, document("c", "word"))
    await fill(engine, [document("d", "word")])
    await engine.roll_back(ACME)
    assert sorted(await ids(engine, WORD)) == ["a", "c"]


async def test_without_a_generation_before_there_is_no_way_back(engine: SearchEngine) -> None:
    await index(engine, document("a"))

    assert await engine.roll_back(ACME) is None
    assert await engine.roll_back(uuid4()) is None
    assert await ids(engine) == ["a"]


async def test_a_rebuild_that_fails_leaves_the_way_back(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"))
    await fill(engine, [document("b", "word")])
    with pytest.raises(RebuildDiffers):
        await engine.rebuild(ACME, batches(), golden=[SearchQuery(match=WORD)])

    await engine.roll_back(ACME)

    assert await ids(engine, WORD) == ["a"]


async def test_the_generation_that_answers_and_the_one_before_are_listed(engine: SearchEngine) -> None:
    await index(engine, document("a"))
    (first,) = await engine.states(ACME)
    for _ in range(3):
        await fill(engine, [document("a"), document("b")])

    now, before = await engine.states(ACME)

    assert (first.answers, now.answers, before.answers) == (True, True, False)
    assert (first.documents, now.documents, before.documents) == (1, 2, 2)
    assert len({first.generation, now.generation, before.generation}) == 3
    assert now.bytes > 0
    assert first.created_at <= before.created_at <= now.created_at
    assert await engine.states(uuid4()) == []


async def test_a_removed_index_is_gone_in_all_its_generations(engine: SearchEngine) -> None:
    await index(engine, document("a"))
    await fill(engine, [document("b")])

    assert await engine.remove(ACME) is True

    assert await engine.remove(ACME) is False
    assert await engine.states(ACME) == []
    assert await engine.roll_back(ACME) is None
    assert await engine.visible(ACME) is None
    with pytest.raises(IndexMissing):
        await find(engine)


async def test_an_index_that_is_removed_while_it_is_rebuilt_does_not_come_back(engine: SearchEngine) -> None:
    await index(engine, document("a"))

    async def source() -> AsyncIterator[Sequence[IndexedDocument]]:
        yield [document("a")]
        await engine.remove(ACME)

    with pytest.raises(Unavailable):
        await engine.rebuild(ACME, source())

    assert await engine.states(ACME) == []
