"""What every search engine owes its users: what an answer tells, in which order and how much of it. Run on each adapter."""

from datetime import timedelta

import pytest

from infrastructure.ports.search import SearchEngine
from schemas.search import AllOf, AllTerms, Facet, FacetField, Filters, Match, NoneOf, Period, Phrase, Prefix, Sort
from tests.contracts.searching import LONG_AGO, document, find, ids, index

pytestmark = pytest.mark.anyio


# Filters, facets, order, pages


async def test_filters_narrow_without_changing_the_order(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", "lease", document_type="contract", industry="legal", tags=("signed", "eu")),
        document("b", "lease lease", document_type="memo", industry="legal", tags=("signed",)),
        document("c", "lease", document_type="contract", industry="health", language="de"),
    )

    async def kept(**filters: object) -> list[str]:
        return sorted(await ids(engine, AllTerms(text="lease"), filters=filters))

    assert await kept(document_types=["contract"]) == ["a", "c"]
    assert await kept(document_types=["contract", "memo"], industries=["legal"]) == ["a", "b"]
    assert await kept(tags=["signed", "eu"]) == ["a"]
    assert await kept(languages=["de"]) == ["c"]
    assert await kept(document_types=["Contract"]) == []
    unfiltered = await find(engine, AllTerms(text="lease"))
    filtered = await find(engine, AllTerms(text="lease"), filters=Filters(industries=("legal",)))
    scores = {hit.document_id: hit.score for hit in unfiltered.hits}
    assert [scores[hit.document_id] for hit in filtered.hits] == [hit.score for hit in filtered.hits]


async def test_a_language_filter_takes_a_whole_tag_or_its_language(engine: SearchEngine) -> None:
    await index(engine, document("a", language="fr-CH"), document("b", language="fr"))

    assert sorted(await ids(engine, filters=Filters(languages=("fr",)))) == ["a", "b"]
    assert await ids(engine, filters=Filters(languages=("fr-CH",))) == ["a"]


async def test_a_period_begins_with_its_start_and_ends_before_its_end(engine: SearchEngine) -> None:
    days = [document(f"day-{day}", created_at=LONG_AGO + timedelta(days=day)) for day in range(4)]
    await index(engine, *days)

    period = Period(since=LONG_AGO + timedelta(days=1), before=LONG_AGO + timedelta(days=3))

    assert sorted(await ids(engine, filters=Filters(created=period))) == ["day-1", "day-2"]
    assert len(await ids(engine, filters=Filters(created=Period(since=period.since)))) == 3


async def test_a_facet_counts_under_all_filters_but_its_own(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", document_type="contract", industry="legal"),
        document("b", document_type="memo", industry="legal"),
        document("c", document_type="memo", industry="health"),
        document("d", document_type="memo"),
    )

    results = await find(
        engine, filters=Filters(document_types=("memo",), industries=("legal",)), facets=tuple(FacetField)
    )

    assert results.total == 1
    assert [counts(facet) for facet in results.facets] == [{"contract": 1, "memo": 1}, {"health": 1, "legal": 1}]


async def test_a_chosen_value_is_listed_even_without_hits(engine: SearchEngine) -> None:
    await index(engine, *(document(f"{kind}{n}", document_type=kind) for kind in "aab" for n in range(3)))

    results = await find(
        engine, facets=("document_type",), facet_limit=1, filters=Filters(document_types=("b", "nothing"))
    )

    assert counts(results.facets[0]) == {"a": 3, "b": 3, "nothing": 0}
    assert results.facets[0].others == 0


async def test_what_a_facet_does_not_list_is_counted_together(engine: SearchEngine) -> None:
    await index(engine, *(document(f"{kind}{n}", document_type=kind) for n, kind in enumerate("aaabbc")))

    facet = (await find(engine, facets=("document_type",), facet_limit=1)).facets[0]

    assert (counts(facet), facet.others) == ({"a": 3}, 3)


def counts(facet: Facet) -> dict[str, int]:
    return {value.value: value.count for value in facet.values}


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


# Snippets


async def test_a_snippet_marks_what_matched_counted_in_characters(engine: SearchEngine) -> None:
    body = "Äußerst früh: 日本語 😀. " * 40 + "Die Vereinbarungen über Straßen gelten. " + "Schluß. " * 40
    await index(engine, document("a", body, language="de"))

    (hit,) = (await find(engine, AllTerms(text="vereinbarung strassen"), snippet_characters=100)).hits

    assert hit.snippet is not None
    assert hit.snippet.text in body
    assert len(hit.snippet.text) <= 100
    assert [hit.snippet.text[mark.start : mark.end] for mark in hit.snippet.marks] == ["Vereinbarungen", "Straßen"]


@pytest.mark.parametrize(
    ("match", "marked"),
    [
        (Prefix(text="the liab"), {"the", "liability"}),
        (AllTerms(text="liabilty", fuzzy=True), {"liability"}),
        (Phrase(text="limited liability"), {"limited", "liability"}),
        (AllOf(clauses=(AllTerms(text="company"), NoneOf(clauses=(AllTerms(text="trust"),)))), {"company"}),
    ],
)
async def test_every_way_of_matching_is_marked(engine: SearchEngine, match: Match, marked: set[str]) -> None:
    await index(engine, document("a", "It is the limited liability company"))

    (hit,) = (await find(engine, match)).hits

    assert hit.snippet is not None
    assert {hit.snippet.text[mark.start : mark.end] for mark in hit.snippet.marks} == marked


async def test_a_snippet_without_a_match_in_the_body_is_its_beginning(engine: SearchEngine) -> None:
    await index(engine, document("a", "First words come first. " * 30, title="Lease"))

    (hit,) = (await find(engine, AllTerms(text="lease"), snippet_characters=40)).hits

    assert hit.snippet is not None
    assert (hit.snippet.text, hit.snippet.marks) == ("First words come first. First words come", ())
    assert (await find(engine, highlight=False)).hits[0].snippet is None


async def test_markup_in_a_body_comes_back_as_plain_text(engine: SearchEngine) -> None:
    await index(engine, document("a", "<script>alert('lease')</script> & more"))

    (hit,) = (await find(engine, AllTerms(text="lease"))).hits

    assert hit.snippet is not None
    assert hit.snippet.text == "<script>alert('lease')</script> & more"


async def test_a_hit_tells_all_there_is_to_know(engine: SearchEngine) -> None:
    one = document(
        "a", title="Lease", industry="legal", tags=("x", "y"), language="en-GB", version=7, document_type="Vertrag Ä"
    )
    await index(engine, one)

    (hit,) = (await find(engine)).hits

    assert (hit.title, hit.industry, hit.tags, hit.language, hit.version, hit.document_type, hit.created_at) == (
        "Lease",
        "legal",
        ("x", "y"),
        "en-GB",
        7,
        "Vertrag Ä",
        LONG_AGO,
    )
