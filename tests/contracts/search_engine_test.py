"""What every search engine owes its users, run on each adapter."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.ports import IndexedDocument, IndexMissing, SearchEngine
from infrastructure.tantivy.engine import TantivyEngine
from schemas.search import (
    MOST_LEVELS,
    AllOf,
    AllTerms,
    AnyOf,
    Facet,
    FacetField,
    Filters,
    Match,
    NoneOf,
    Period,
    Phrase,
    Prefix,
    SearchQuery,
    SearchResults,
    Sort,
)

pytestmark = pytest.mark.anyio

ACME = UUID(int=1)
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def tantivy(folder: Path) -> AsyncIterator[SearchEngine]:
    async def holds_documents(tenant_id: UUID) -> bool:
        return tenant_id == ACME

    async with TantivyEngine(folder, holds_documents) as engine:
        yield engine


Adapter = Callable[[Path], AbstractAsyncContextManager[SearchEngine]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=[tantivy], ids=["tantivy"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    chosen: Adapter = request.param
    return chosen


@pytest.fixture
async def engine(adapter: Adapter, tmp_path: Path) -> AsyncIterator[SearchEngine]:
    async with adapter(tmp_path) as engine:
        await engine.rebuild(ACME, _batches())
        yield engine


def document(document_id: str, body: str = "", **fields: object) -> IndexedDocument:
    plain = IndexedDocument(
        document_id=document_id,
        version=1,
        title="Untitled",
        body=body,
        document_type="contract",
        industry=None,
        language="en",
        tags=(),
        created_at=LONG_AGO,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]  # a test names its fields itself


async def _batches(*documents: IndexedDocument) -> AsyncIterator[Sequence[IndexedDocument]]:
    yield documents


async def index(engine: SearchEngine, *documents: IndexedDocument, tenant_id: UUID = ACME) -> None:
    for one in documents:
        await engine.index(tenant_id, one)


async def ids(engine: SearchEngine, match: Match | None = None, **fields: object) -> list[str]:
    results = await find(engine, match, **fields)
    return [hit.document_id for hit in results.hits]


async def find(engine: SearchEngine, match: Match | None = None, **fields: object) -> SearchResults:
    return await engine.search(ACME, SearchQuery.model_validate({"match": match, **fields}))


# Words


async def test_a_word_is_found_in_title_and_body_whatever_its_case_and_accents(engine: SearchEngine) -> None:
    await index(engine, document("a", "Über die Straße in MÜNCHEN"), document("b", title="Zürich"))

    assert await ids(engine, AllTerms(text="münchen")) == ["a"]
    assert await ids(engine, AllTerms(text="Munchen strasse")) == ["a"]
    assert await ids(engine, AllTerms(text="ZURICH")) == ["b"]


async def test_every_word_must_occur_though_not_in_one_field(engine: SearchEngine) -> None:
    await index(engine, document("a", "signed in March", title="Lease"), document("b", "signed in April"))

    assert await ids(engine, AllTerms(text="lease signed")) == ["a"]
    assert await ids(engine, AllTerms(text="lease april")) == []


async def test_other_forms_of_a_word_are_found_in_the_documents_own_language(engine: SearchEngine) -> None:
    await index(
        engine,
        document("en", "two agreements were terminated"),
        document("de", "die Verträge wurden gekündigt", language="de-CH"),
        document("none", "agreements", language=None),
    )

    assert await ids(engine, AllTerms(text="agreement terminating")) == ["en"]
    assert await ids(engine, AllTerms(text="Vertrag gekündigte")) == ["de"]
    assert await ids(engine, AllTerms(text="agreement")) == ["en"]


async def test_a_word_as_it_is_written_ranks_above_its_other_forms(engine: SearchEngine) -> None:
    await index(engine, document("other", "agreements here"), document("same", "agreement here"))

    assert await ids(engine, AllTerms(text="agreement")) == ["same", "other"]


async def test_a_hit_in_the_title_ranks_above_one_in_the_body(engine: SearchEngine) -> None:
    await index(engine, document("body", "warranty"), document("title", "nothing", title="Warranty"))

    assert await ids(engine, AllTerms(text="warranty")) == ["title", "body"]


async def test_a_typing_error_is_forgiven_when_asked_and_ranks_lower(engine: SearchEngine) -> None:
    await index(
        engine, document("wrong", "the contarct"), document("right", "the contract"), document("far", "contact us")
    )

    assert await ids(engine, AllTerms(text="contract")) == ["right"]
    found = await ids(engine, AllTerms(text="contract", fuzzy=True))
    assert (found[0], sorted(found[1:])) == ("right", ["far", "wrong"])


@pytest.mark.parametrize("typo", ["contrct", "contraact", "contrazt", "conrtact", "ontract"])
async def test_one_letter_left_out_added_changed_or_swapped_is_one_typing_error(
    engine: SearchEngine, typo: str
) -> None:
    await index(engine, document("a", "the contract"))

    assert await ids(engine, AllTerms(text=typo)) == []
    assert await ids(engine, AllTerms(text=typo, fuzzy=True)) == ["a"]


async def test_typing_errors_are_forgiven_in_other_scripts(engine: SearchEngine) -> None:
    await index(engine, document("a", "настоящий договор", language="ru"))

    assert await ids(engine, AllTerms(text="догавор", fuzzy=True)) == ["a"]


async def test_a_phrase_is_found_in_its_order_only(engine: SearchEngine) -> None:
    await index(engine, document("a", "limitation of liability"), document("b", "liability of limitation"))

    assert await ids(engine, Phrase(text="limitation of liability")) == ["a"]
    assert await ids(engine, Phrase(text="limitation liability")) == []
    assert await ids(engine, Phrase(text="limitation liability", slop=1)) == ["a"]
    assert sorted(await ids(engine, Phrase(text="liability"))) == ["a", "b"]


async def test_a_prefix_completes_the_last_word(engine: SearchEngine) -> None:
    await index(engine, document("a", "confidential information"), document("b", "configured information"))

    assert await ids(engine, Prefix(text="information confid")) == ["a"]
    assert sorted(await ids(engine, Prefix(text="conf"))) == ["a", "b"]
    assert await ids(engine, Prefix(text="infor conf")) == []


async def test_clauses_combine(engine: SearchEngine) -> None:
    await index(engine, document("ab", "alpha beta"), document("a", "alpha"), document("c", "gamma"))
    alpha, beta, gamma = (AllTerms(text=word) for word in ("alpha", "beta", "gamma"))

    assert await ids(engine, AllOf(clauses=(alpha, beta))) == ["ab"]
    assert sorted(await ids(engine, AnyOf(clauses=(beta, gamma)))) == ["ab", "c"]
    assert await ids(engine, AllOf(clauses=(alpha, NoneOf(clauses=(beta,))))) == ["a"]
    assert await ids(engine, NoneOf(clauses=(alpha,))) == ["c"]


async def test_a_tree_as_deep_as_allowed_is_answered(engine: SearchEngine) -> None:
    await index(engine, document("a", "alpha"))
    match: Match = AllTerms(text="alpha")
    for _ in range(MOST_LEVELS - 1):
        match = AllOf(clauses=(match,))

    assert await ids(engine, match) == ["a"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.one_of(
        st.text(
            st.characters(max_codepoint=0x7F, exclude_characters="zZ") | st.sampled_from("éß語😀\u202e"), min_size=1
        ),
        st.sampled_from(
            ["body:*", "title:secret OR x", "(" * 200 + "a", '"a', "a~2", "[* TO *]", "/.*/", "a\\", "-a", "*"]
        ),
    )
)
async def test_no_text_is_taken_for_a_query_language(engine: SearchEngine, text: str) -> None:
    await index(engine, document("only", "zzyzx", title="zzyzx"))
    for leaf in (AllTerms, Phrase, Prefix):
        try:
            match = leaf(text=text)
        except ValidationError:
            continue  # Refused before it comes to an engine.
        assert await ids(engine, match) == []


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


# Versions, tenants, rebuilding


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


@settings(max_examples=15, deadline=None)
@given(writes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), max_size=12))
async def test_whatever_the_order_the_newest_version_of_each_document_stands_alone(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, int]]
) -> None:
    async with tantivy(tmp_path_factory.mktemp("order")) as engine:
        await engine.rebuild(ACME, _batches())
        await index(engine, *(document(name, f"v{version}", version=version) for name, version in writes))
        hits = (await find(engine, limit=100)).hits

    newest: dict[str, int] = {}
    for name, version in writes:
        newest[name] = max(version, newest.get(name, 0))
    assert sorted((hit.document_id, hit.version) for hit in hits) == sorted(newest.items())


async def test_no_tenant_sees_anothers_documents(engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, _batches(document("a", "secret of the other")))
    await index(engine, document("a", "ours"))

    assert await ids(engine, AllTerms(text="secret")) == []
    assert (await engine.search(other, SearchQuery())).total == 1
    assert (await find(engine, facets=("document_type",))).facets[0].values[0].count == 1


async def test_a_tenant_without_documents_finds_nothing(engine: SearchEngine) -> None:
    assert (await engine.search(uuid4(), SearchQuery(match=AllTerms(text="word")))).total == 0


async def test_indexing_without_an_index_asks_for_one(engine: SearchEngine) -> None:
    with pytest.raises(IndexMissing):
        await engine.index(uuid4(), document("a"))


async def test_a_rebuilt_index_has_the_given_documents_and_no_others(engine: SearchEngine) -> None:
    await index(engine, document("old", "word"))

    await engine.rebuild(ACME, _batches(*(document(f"d{n}", "word") for n in range(5))))

    assert sorted(await ids(engine, AllTerms(text="word"))) == [f"d{n}" for n in range(5)]


async def test_a_rebuild_leaves_a_usable_index_alone_when_told_to(engine: SearchEngine) -> None:
    await index(engine, document("a"))

    await engine.rebuild(ACME, _batches(), unless_there=True)

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
