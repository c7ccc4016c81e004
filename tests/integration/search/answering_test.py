"""What a search answers: what was typed, with synonyms, spelled otherwise where it finds nothing, page after page."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from api.http.problems import Refusal
from infrastructure.ports.search import SearchEngine
from infrastructure.tantivy.engine import TantivyEngine
from schemas.search import SynonymGroup, Synonyms
from tests.contracts.search.searching import ACME, batches, document, fill, index
from tests.integration.search.flow import Flow

pytestmark = pytest.mark.anyio

LEASES = [
    document("lease", "The lease of a warehouse ends after the notice period", document_type="lease"),
    document("rental", "A rental agreement with a notice", document_type="lease"),
    document("nda", "A mutual non disclosure agreement", document_type="contract"),
    document("draft", "The first draft of a lease", document_type="draft"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SearchEngine]:
    async def holds_documents(_: UUID) -> bool:
        return False

    async with TantivyEngine(tmp_path, holds_documents) as engine:
        await engine.rebuild(ACME, batches(*LEASES))
        yield engine


@pytest.fixture
def flow(engine: SearchEngine) -> Flow:
    return Flow(engine)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lease", {"lease", "draft"}),
        ("lease -draft", {"lease"}),
        ('"notice period"', {"lease"}),
        ("wareh*", {"lease"}),
        ("rental OR warehouse", {"rental", "lease"}),
        ("-lease", {"rental", "nda"}),
        ('lease "first draft"', {"draft"}),
    ],
)
async def test_a_text_finds_what_was_meant(flow: Flow, text: str, found: set[str]) -> None:
    assert set(await flow.ids(text)) == found


async def test_documents_with_some_of_the_words_come_behind_those_with_all(flow: Flow) -> None:
    found = await flow.search("lease warehouse agreement")

    assert found.hits[0].document_id == "lease"
    assert {hit.document_id for hit in found.hits} == {"lease", "rental", "nda", "draft"}
    assert found.widened


async def test_what_is_quoted_or_excluded_holds_for_documents_with_some_of_the_words(flow: Flow) -> None:
    assert set(await flow.ids('warehouse agreement "notice period"')) == {"lease"}
    assert set(await flow.ids("warehouse agreement -rental")) == {"lease", "nda"}


async def test_choosing_a_facet_gives_what_it_counted(flow: Flow, engine: SearchEngine) -> None:
    many = [document(f"m{n}", "rent is paid", document_type="lease" if n < 3 else "nda") for n in range(12)]
    others = [document(f"o{n}", "rent", document_type="lease") for n in range(4)]
    await engine.rebuild(ACME, batches(*many, *others))

    for text in ("rent paid", "rent unheard"):
        found = await flow.search(text, facets=["document_type"], correct=False)
        for one in found.facets[0].values:
            chosen = await flow.search(text, filters={"document_types": [one.value]}, correct=False)
            assert (chosen.total, chosen.widened) == (one.count, found.widened)


async def test_some_of_the_words_are_not_enough_where_all_are_asked_for(flow: Flow) -> None:
    found = await flow.search("rental warehouse", widen=False)

    assert (found.total, found.widened) == (0, False)


async def test_in_another_order_only_documents_with_all_words_are_found(flow: Flow) -> None:
    found = await flow.search("lease warehouse agreement", sort="newest")

    assert (found.total, found.widened) == (0, False)


async def test_all_words_in_a_long_text_come_before_one_in_a_short_title(flow: Flow, engine: SearchEngine) -> None:
    long = document("long", f"quorum {'and so on ' * 20_000} escrow")
    short = document("short", "", title="Escrow escrow")
    others = [document(f"other-{number}", "quorum") for number in range(200)]
    await engine.rebuild(ACME, batches(long, short, *others))

    assert (await flow.ids("quorum escrow"))[:2] == ["long", "short"]


async def test_pages_of_documents_with_some_of_the_words_go_on(flow: Flow) -> None:
    first = await flow.search("notice agreement", limit=1)
    ids = [hit.document_id for hit in first.hits]
    page = first
    while page.next_cursor is not None:
        page = await flow.search("notice agreement", limit=1, cursor=page.next_cursor)
        assert page.widened
        ids += [hit.document_id for hit in page.hits]

    assert ids[0] == "rental"
    assert sorted(ids) == ["lease", "nda", "rental"]


async def test_synonyms_find_what_nobody_wrote_and_rank_behind_it(flow: Flow, engine: SearchEngine) -> None:
    await index(engine, document("short", "an NDA of two pages with a lot of other text"))
    assert await flow.ids("nda", correct=False) == ["short"]

    flow.synonyms.by_tenant = {ACME: Synonyms(groups=(SynonymGroup(terms=("nda", "non-disclosure agreement")),))}

    assert await flow.ids("nda") == ["short", "nda"]
    assert await flow.ids("non disclosure agreement", widen=False) == ["nda", "short"]
    assert await flow.ids('"nda"') == ["short"]
    assert await flow.ids("nda", synonyms=False) == ["short"]


async def test_one_tenants_synonyms_touch_no_other(flow: Flow, engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(*LEASES))
    flow.synonyms.by_tenant = {other: Synonyms(groups=(SynonymGroup(terms=("nda", "lease")),))}

    assert await flow.ids("nda", correct=False) == []
    assert set(await flow.ids("nda", tenant_id=other)) == {"lease", "draft"}


async def test_with_no_hit_the_hits_are_those_of_the_likeliest_spelling(flow: Flow) -> None:
    results = await flow.search("Warehuose -draft")

    assert (results.did_you_mean, results.corrected) == ("Warehouse -draft", True)
    assert [hit.document_id for hit in results.hits] == ["lease"]
    assert flow.watched.spellings == {"answered": 1}


async def test_with_few_hits_another_spelling_is_only_suggested(flow: Flow, engine: SearchEngine) -> None:
    await index(engine, document("typo", "a leese"))

    results = await flow.search("leese")

    assert (results.did_you_mean, results.corrected) == ("lease", False)
    assert [hit.document_id for hit in results.hits] == ["typo"]


async def test_what_is_suggested_has_hits_under_the_same_filters(flow: Flow) -> None:
    only_contracts = {"document_types": ["contract"]}

    assert (await flow.search("warehuose", filters=only_contracts)).did_you_mean is None
    assert (await flow.search("disclosre", filters=only_contracts)).did_you_mean == "disclosure"


async def test_nobody_is_corrected_who_asked_not_to_be_or_quoted_or_sent_clauses(flow: Flow) -> None:
    assert (await flow.search("warehuose", correct=False)).did_you_mean is None
    assert (await flow.search('"warehuose"')).did_you_mean is None
    assert (await flow.search(match={"op": "all_terms", "text": "warehuose"})).did_you_mean is None


async def test_a_spelling_for_what_is_only_typed_so_far_has_hits_too(flow: Flow) -> None:
    assert await flow.answering.better_spelling(ACME, "warehuose leese") == "warehouse lease"
    assert await flow.answering.better_spelling(ACME, "notice") is None
    assert await flow.answering.better_spelling(ACME, "zzzzzzzz") is None


async def test_pages_by_cursor_cover_every_hit_once_and_corrected_ones_too(flow: Flow, engine: SearchEngine) -> None:
    await fill(engine, [document(f"d{number:02}", "warehouse " * (number + 1)) for number in range(25)])
    for text in ("warehouse", "warehuose", None):
        seen, cursor = [], None
        while True:
            page = await flow.search(text, limit=10, cursor=cursor)
            assert page.corrected is (text == "warehuose")
            seen += [hit.document_id for hit in page.hits]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert sorted(seen) == [f"d{number:02}" for number in range(25)]


async def test_a_cursor_is_for_its_search_its_tenant_and_its_signers_key_only(flow: Flow, engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(*LEASES))
    cursor = (await flow.search("lease", limit=1)).next_cursor
    assert cursor is not None
    assert len((await flow.search("  lease ", limit=1, cursor=cursor)).hits) == 1
    changed = ("A" if cursor[5] != "A" else "B").join((cursor[:5], cursor[6:]))

    for fields in (
        {"text": "notice", "limit": 1, "cursor": cursor},
        {"text": "lease", "limit": 2, "cursor": cursor},
        {"text": "lease", "limit": 1, "cursor": cursor, "filters": {"tags": ["a"]}},
        {"text": "lease", "limit": 1, "cursor": cursor, "tenant_id": other},
        {"text": "lease", "limit": 1, "cursor": changed},
        {"text": "lease", "limit": 1, "cursor": cursor[:-1]},
        {"text": "lease", "limit": 1, "cursor": ""},
        {"text": "lease", "limit": 1, "cursor": "AAAA"},
        {"text": "lease", "limit": 1, "cursor": "äöü\u0001" * 9},
    ):
        with pytest.raises(Refusal) as refused:
            await flow.search(**fields)  # type: ignore[arg-type]  # each as a client would send it
        assert refused.value.problem.status == 400
    with pytest.raises(Refusal):
        await Flow(engine, key=b"another" * 5).search("lease", limit=1, cursor=cursor)


async def test_a_cursor_ends_when_its_tenants_synonyms_change(flow: Flow) -> None:
    cursor = (await flow.search("lease", limit=1)).next_cursor
    flow.synonyms.by_tenant = {ACME: Synonyms(groups=(SynonymGroup(terms=("lease", "rental")),))}

    with pytest.raises(Refusal):
        await flow.search("lease", limit=1, cursor=cursor)


async def test_only_first_pages_are_kept(flow: Flow) -> None:
    first = await flow.search("lease", limit=1)
    again = await flow.search("lease", limit=1)
    await flow.search("lease", limit=1, cursor=first.next_cursor)
    await flow.search("lease", limit=1, cursor=again.next_cursor)

    assert first == again
    assert flow.watched.lookups == {"miss": 1, "hit": 1}


async def test_equal_searches_at_the_same_time_are_one(flow: Flow) -> None:
    found = await asyncio.gather(*(flow.search("lease  -draft " + " " * spaces) for spaces in range(8)))

    assert {results.model_dump_json() for results in found} == {found[0].model_dump_json()}
    assert flow.watched.lookups["miss"] == 1
    assert flow.watched.outcomes == {"found": 8}


async def test_a_slow_search_is_noted_by_its_shape_and_can_be_replayed(engine: SearchEngine) -> None:
    flow = Flow(engine, slow_seconds=0.0)
    await flow.search(
        "secretword lease -draft", filters={"tags": ["hidden"], "created": {"since": "2020-01-01T00:00:00Z"}}
    )

    ((tenant_id, slow),) = flow.watched.slow
    assert tenant_id == ACME
    assert slow.shape.ops == {"all_of": 1, "all_terms": 2, "none_of": 1}
    assert (slow.shape.filters, slow.shape.words, slow.hits) == (("tags", "created"), 3, 0)
    assert "secretword" not in slow.shape.model_dump_json() + repr(slow)
    assert "hidden" not in slow.shape.model_dump_json()
    assert slow.query.text == "secretword lease -draft"


async def test_what_the_cache_answers_is_never_slow(engine: SearchEngine) -> None:
    flow = Flow(engine, slow_seconds=0.0)
    for _ in range(3):
        await flow.search("lease")

    assert len(flow.watched.slow) == 1
