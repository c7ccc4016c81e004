"""Deep pages of an index that changes between them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from infrastructure.ports import Refused
from infrastructure.ports.search import IndexedDocument, Page
from infrastructure.tantivy.engine import TantivyEngine
from infrastructure.tantivy.searches.pages import MAX_REMEMBERED
from schemas.search import AllTerms, Consistency, SearchQuery, Sort
from tests.unit.infrastructure.tantivy.folder_test import TENANT, an_engine, document

pytestmark = pytest.mark.anyio
WORDS = AllTerms(text="words")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TantivyEngine]:
    async with an_engine(tmp_path) as engine:
        yield engine


async def batches(*documents: IndexedDocument) -> AsyncIterator[Sequence[IndexedDocument]]:
    yield documents


def ids(page: Page) -> list[str]:
    return [hit.document_id for hit in page.results.hits]


async def test_a_page_after_a_change_says_so_and_so_do_all_after_it(engine: TantivyEngine) -> None:
    await engine.rebuild(TENANT, batches(*(document(f"d{n}") for n in range(6))))
    query = SearchQuery(match=WORDS, limit=2)
    first = await engine.search(TENANT, query)
    await engine.index(TENANT, document("new"))

    second = await engine.search(TENANT, query, after=first.after)
    third = await engine.search(TENANT, query, after=second.after)

    assert [page.results.consistency for page in (first, second, third)] == [
        Consistency.SNAPSHOT,
        Consistency.RESUMED,
        Consistency.RESUMED,
    ]


@pytest.mark.parametrize("sort", [Sort.RELEVANCE, Sort.NEWEST, Sort.SHORTEST])
async def test_of_more_equals_than_are_remembered_none_is_left_out_after_a_change(
    engine: TantivyEngine, sort: Sort
) -> None:
    equals = [document(f"d{n}") for n in range(MAX_REMEMBERED * 2 + 50)]
    await engine.rebuild(TENANT, batches(*equals))
    query = SearchQuery(match=WORDS, sort=sort, limit=100, highlight=False)
    seen: list[str] = []
    page = await engine.search(TENANT, query)
    for number in range(3):
        seen += ids(page)
        page = await engine.search(TENANT, query, after=page.after)
        await engine.index(TENANT, document(f"other-{number}", body="nothing of the kind"))
    while page.after is not None:
        seen += ids(page)
        page = await engine.search(TENANT, query, after=page.after)
    seen += ids(page)

    assert sorted(seen) == sorted(one.document_id for one in equals)


async def test_pages_go_on_when_all_that_was_given_is_gone(engine: TantivyEngine) -> None:
    await engine.rebuild(TENANT, batches(*(document(f"d{n}") for n in range(9))))
    query = SearchQuery(match=WORDS, limit=3)
    first = await engine.search(TENANT, query)
    for name in ids(first):
        await engine.delete(TENANT, name, 2)

    second = await engine.search(TENANT, query, after=first.after)
    third = await engine.search(TENANT, query, after=second.after)

    assert sorted([*ids(second), *ids(third)]) == sorted({f"d{n}" for n in range(9)} - set(ids(first)))


async def test_what_comes_in_before_the_place_is_not_given_and_what_comes_in_behind_it_is(
    engine: TantivyEngine,
) -> None:
    def dated(name: str, day: int) -> IndexedDocument:
        plain = document(name)
        return replace(plain, created_at=plain.created_at + timedelta(days=day))

    await engine.rebuild(TENANT, batches(*(dated(f"d{day}", day) for day in range(0, 12, 2))))
    query = SearchQuery(sort=Sort.OLDEST, limit=3)
    first = await engine.search(TENANT, query)
    await engine.index(TENANT, dated("before", 1))
    await engine.index(TENANT, dated("behind", 5))

    second = await engine.search(TENANT, query, after=first.after)

    assert ids(first) == ["d0", "d2", "d4"]
    assert ids(second) == ["behind", "d6", "d8"]


async def test_a_place_of_another_order_is_refused(engine: TantivyEngine) -> None:
    await engine.rebuild(TENANT, batches(*(document(f"d{n}") for n in range(4))))
    page = await engine.search(TENANT, SearchQuery(sort=Sort.OLDEST, limit=2))

    with pytest.raises(Refused):
        await engine.search(TENANT, SearchQuery(sort=Sort.NEWEST, limit=2), after=page.after)


async def test_a_place_beyond_the_index_is_refused(engine: TantivyEngine) -> None:
    await engine.rebuild(TENANT, batches(*(document(f"d{n}") for n in range(4))))
    query = SearchQuery(limit=2)
    after = (await engine.search(TENANT, query)).after
    assert after is not None
    far = after[:19] + b"\xff" * 8 + after[27:]

    with pytest.raises(Refused):
        await engine.search(TENANT, query, after=far)
