"""What every search engine owes its users: an order, and pages that cover every hit once, however deep. Run on each adapter."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.ports import Refused
from infrastructure.ports.search import SearchEngine
from schemas.search import AllTerms, Consistency, SearchQuery, Sort
from tests.contracts.search.searching import ACME, LONG_AGO, counts, document, fill, find, ids, index, pages

pytestmark = pytest.mark.anyio
WORD = AllTerms(text="word")
LARGEST_AFTER = 4_000


async def test_everything_is_listed_newest_first_when_nothing_is_looked_for(engine: SearchEngine) -> None:
    await index(engine, *(document(f"day-{day}", created_at=LONG_AGO + timedelta(days=day)) for day in (1, 3, 2)))

    results = await find(engine)

    assert [hit.document_id for hit in results.hits] == ["day-3", "day-2", "day-1"]
    assert [hit.score for hit in results.hits] == [None] * 3
    assert await ids(engine, AllTerms(text="untitled"), sort=Sort.OLDEST) == ["day-1", "day-2", "day-3"]


async def test_pages_cover_every_hit_once(engine: SearchEngine) -> None:
    await index(engine, *(document(f"d{n:02}", "word " * (n + 1)) for n in range(25)))
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await find(engine, AllTerms(text="word"), limit=10, offset=offset)
        assert page.total == 25
        seen += [hit.document_id for hit in page.hits]
        offset = page.next_offset

    assert sorted(seen) == [f"d{n:02}" for n in range(25)]


async def test_a_page_of_no_hits_still_counts(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"), document("b", "word"))

    results = await find(engine, AllTerms(text="word"), limit=0, facets=("document_type",))

    assert (results.total, results.hits, results.next_offset) == (2, (), None)
    assert counts(results.facets[0]) == {"contract": 2}


async def test_each_order_is_kept(engine: SearchEngine) -> None:
    day = timedelta(days=1)
    await index(
        engine,
        document("a", "word", created_at=LONG_AGO + day, updated_at=LONG_AGO + 9 * day),
        document("b", "word word filler", created_at=LONG_AGO + 2 * day, updated_at=LONG_AGO + 5 * day),
        document("c", "a word in a long text", created_at=LONG_AGO, updated_at=LONG_AGO + 7 * day),
    )

    orders = {sort: "".join(await ids(engine, WORD, sort=sort)) for sort in Sort if sort is not Sort.RELEVANCE}

    assert orders == {
        Sort.NEWEST: "bac",
        Sort.OLDEST: "cab",
        Sort.CHANGED: "acb",
        Sort.LONGEST: "cba",
        Sort.SHORTEST: "abc",
    }


async def test_times_a_moment_apart_are_in_order(engine: SearchEngine) -> None:
    moments = [3, 1, 2, 0]
    await index(engine, *(document(f"d{n}", created_at=LONG_AGO + timedelta(microseconds=n)) for n in moments))

    assert await ids(engine, sort=Sort.NEWEST) == ["d3", "d2", "d1", "d0"]
    assert await ids(engine, sort=Sort.OLDEST) == ["d0", "d1", "d2", "d3"]


@pytest.mark.parametrize("sort", Sort)
async def test_equals_come_in_the_same_order_every_time(engine: SearchEngine, sort: Sort) -> None:
    await fill(engine, (document(f"d{n}", "word") for n in range(50)))

    once = await ids(engine, WORD, sort=sort, limit=50)

    assert sorted(once) == sorted(f"d{n}" for n in range(50))
    for _ in range(3):
        assert await ids(engine, WORD, sort=sort, limit=50) == once


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("limit", [1, 7, 40, 100])
async def test_pages_one_after_the_other_have_every_hit_once_and_in_order(
    engine: SearchEngine, sort: Sort, limit: int
) -> None:
    await fill(
        engine,
        (
            document(
                f"d{n}",
                "word " * (n % 5 + 1),
                created_at=LONG_AGO + timedelta(days=n % 3),
                updated_at=LONG_AGO + timedelta(days=n % 4),
            )
            for n in range(40)
        ),
    )

    seen: list[str] = []
    async for page in pages(engine, SearchQuery(match=WORD, sort=sort, limit=limit)):
        assert page.after is None or len(page.after) <= LARGEST_AFTER
        assert page.results.total == 40
        assert page.results.consistency is Consistency.SNAPSHOT
        seen += [hit.document_id for hit in page.results.hits]

    assert seen == await ids(engine, WORD, sort=sort, limit=100)
    assert len(set(seen)) == 40


async def test_pages_go_deeper_than_any_offset(engine: SearchEngine) -> None:
    await fill(engine, (document(f"d{n}", "word") for n in range(2_350)))

    for match in (None, WORD):
        seen = [
            hit.document_id
            async for page in pages(engine, SearchQuery(match=match, limit=100, highlight=False))
            for hit in page.results.hits
        ]

        assert len(seen) == len(set(seen)) == 2_350


async def test_a_page_is_the_same_when_it_is_asked_for_again(engine: SearchEngine) -> None:
    await fill(engine, (document(f"d{n}", "word") for n in range(30)))
    query = SearchQuery(match=WORD, limit=10)
    first = await engine.search(ACME, query)

    again = [await engine.search(ACME, query, after=first.after) for _ in range(3)]

    assert [hit.document_id for hit in again[0].results.hits] == [hit.document_id for hit in again[2].results.hits]


async def test_the_last_page_has_nothing_after_it(engine: SearchEngine) -> None:
    await index(engine, document("a", "word"), document("b", "word"))

    assert (await engine.search(ACME, SearchQuery(match=WORD, limit=2))).after is None
    assert (await engine.search(ACME, SearchQuery(match=WORD, limit=0))).after is None
    assert (await engine.search(ACME, SearchQuery(match=AllTerms(text="nothing")))).after is None


@pytest.mark.parametrize("sort", Sort)
async def test_pages_go_on_when_documents_come_change_and_go_between_them(engine: SearchEngine, sort: Sort) -> None:
    def dated(number: int, version: int = 1) -> object:
        when = LONG_AGO + timedelta(days=number // 4)
        return document(f"d{number:02}", "word " * (number // 4 + 1), version=version, created_at=when, updated_at=when)

    await index(engine, *(dated(number) for number in range(24)))  # type: ignore[arg-type]
    query = SearchQuery(match=WORD, sort=sort, limit=6)
    first = await engine.search(ACME, query)
    given = [hit.document_id for hit in first.results.hits]

    await engine.delete(ACME, given[-1], 2)
    await engine.delete(ACME, given[0], 2)
    await index(engine, dated(int(given[-2][1:]), version=2))  # type: ignore[arg-type]
    page, later = first, []
    while page.after is not None:
        page = await engine.search(ACME, query, after=page.after)
        later += [hit.document_id for hit in page.results.hits]

    assert set(later).isdisjoint(given)
    assert len(later) == len(set(later))
    assert {f"d{number:02}" for number in range(24)} == {*given, *later}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=200))
async def test_what_is_no_continuation_is_refused(engine: SearchEngine, garbage: bytes) -> None:
    with pytest.raises((Refused, ValueError)):
        await engine.search(ACME, SearchQuery(), after=garbage)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 200), tail=st.binary(max_size=9))
async def test_a_continuation_that_was_tampered_with_is_refused_or_brings_a_page(
    engine: SearchEngine, cut: int, tail: bytes
) -> None:
    await index(engine, document("a", "word"), document("b", "word"))
    query = SearchQuery(match=WORD, limit=1)
    after = (await engine.search(ACME, query)).after
    assert after is not None

    try:
        page = await engine.search(ACME, query, after=after[: cut % len(after)] + tail)
    except (Refused, ValueError):
        return
    assert {hit.document_id for hit in page.results.hits} <= {"a", "b"}
