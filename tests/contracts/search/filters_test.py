"""What every search engine owes its users: filters and exact clauses keep what they name, to the letter, and change no score.
Run on each adapter."""

from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.ports.search import SearchEngine
from schemas.search import AllOf, AllTerms, AnyOf, Exists, Filters, Match, NoneOf, Period, Range, Terms
from tests.contracts.search.searching import LONG_AGO, document, fill, find, ids, index

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


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


async def shelf(engine: SearchEngine) -> None:
    """Three documents that differ in everything that can be filtered."""
    await fill(
        engine,
        [
            document(
                "a",
                "lease " * 10,
                document_type="contract",
                industry="legal",
                language="en-GB",
                tags=("eu", "signed"),
                media_type="application/pdf",
                pages=3,
                created_at=NOON,
                updated_at=NOON + timedelta(days=2),
            ),
            document(
                "b",
                "lease " * 20,
                document_type="memo",
                industry="health",
                language="de",
                tags=("signed",),
                media_type="text/plain",
                pages=30,
                created_at=NOON + MOMENT,
                updated_at=NOON + timedelta(days=1),
            ),
            document("c", "lease", document_type="memo c", language=None, created_at=NOON - MOMENT, updated_at=NOON),
        ],
    )


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"document_types": ["memo"]}, "b"),
        ({"document_types": ["memo", "contract"]}, "ab"),
        ({"industries": ["health", "law"]}, "b"),
        ({"languages": ["en"]}, "a"),
        ({"languages": ["en-GB", "de"]}, "ab"),
        ({"languages": ["en-US"]}, ""),
        ({"tags": ["signed"]}, "ab"),
        ({"tags": ["signed", "eu"]}, "a"),
        ({"any_tags": ["eu", "unknown"]}, "a"),
        ({"any_tags": ["eu", "signed"]}, "ab"),
        ({"media_types": ["text/plain"]}, "b"),
        ({"media_types": ["text"]}, ""),
        ({"document_ids": ["c", "a", "z"]}, "ac"),
        ({"created": {"since": NOON}}, "ab"),
        ({"created": {"before": NOON}}, "c"),
        ({"created": {"since": NOON, "before": NOON + MOMENT}}, "a"),
        ({"created": {}}, "abc"),
        ({"updated": {"since": NOON + timedelta(days=1)}}, "ab"),
        ({"updated": {"before": NOON + timedelta(days=2)}}, "bc"),
        ({"characters": {"at_least": 60}}, "ab"),
        ({"characters": {"at_least": 60, "below": 61}}, "a"),
        ({"characters": {"below": 60}}, "c"),
        ({"characters": {}}, "abc"),
        ({"pages": {"at_least": 3, "below": 30}}, "a"),
        ({"pages": {"below": 2**53}}, "ab"),
        ({"has": ["industry"]}, "ab"),
        ({"has": ["pages", "tags", "language", "media_type", "document_type", "characters"]}, "ab"),
        ({"lacks": ["industry"]}, "c"),
        ({"lacks": ["pages", "tags", "language", "media_type"]}, "c"),
        ({"lacks": ["document_type"]}, ""),
        (
            {
                "document_types": ["contract", "memo"],
                "industries": ["legal", "health"],
                "languages": ["en", "de"],
                "tags": ["signed"],
                "any_tags": ["eu", "signed"],
                "media_types": ["application/pdf", "text/plain"],
                "document_ids": ["a", "b", "c"],
                "created": {"since": NOON, "before": NOON + timedelta(days=1)},
                "updated": {"since": NOON},
                "characters": {"at_least": 1},
                "pages": {"at_least": 4},
                "has": ["industry"],
                "lacks": [],
            },
            "b",
        ),
    ],
    ids=str,
)
async def test_each_filter_keeps_exactly_what_it_names(
    engine: SearchEngine, filters: dict[str, object], kept: str
) -> None:
    await shelf(engine)

    assert sorted(await ids(engine, filters=filters)) == list(kept)
    assert sorted(await ids(engine, AllTerms(text="lease"), filters=filters)) == list(kept)


@pytest.mark.parametrize(
    ("clause", "kept"),
    [
        (Terms(field="document_type", values=("memo",)), "b"),
        (Terms(field="industry", values=("health", "legal")), "ab"),
        (Terms(field="language", values=("en",)), "a"),
        (Terms(field="language", values=("en-GB",)), "a"),
        (Terms(field="tags", values=("eu", "Signed")), "a"),
        (Terms(field="media_type", values=("text/plain",)), "b"),
        (Range(field="created_at", since=NOON, before=NOON + MOMENT), "a"),
        (Range(field="created_at", before=NOON), "c"),
        (Range(field="updated_at", since=NOON + timedelta(days=2)), "a"),
        (Range(field="characters", at_least=60, below=120), "a"),
        (Range(field="pages", at_least=3), "ab"),
        (Range(field="pages", below=30), "a"),
        (Exists(field="language"), "ab"),
        (Exists(field="pages"), "ab"),
        (Exists(field="tags"), "ab"),
        (NoneOf(clauses=(Exists(field="industry"),)), "c"),
        (NoneOf(clauses=(Range(field="pages", at_least=10),)), "ac"),
        (AnyOf(clauses=(Range(field="pages", at_least=10), NoneOf(clauses=(Exists(field="pages"),)))), "bc"),
    ],
    ids=str,
)
async def test_each_exact_clause_keeps_exactly_what_it_names(engine: SearchEngine, clause: Match, kept: str) -> None:
    await shelf(engine)

    assert sorted(await ids(engine, clause)) == list(kept)


async def test_an_exact_clause_changes_no_score(engine: SearchEngine) -> None:
    await shelf(engine)
    words = AllTerms(text="lease")
    exact = (Terms(field="tags", values=("signed",)), Range(field="pages", at_least=1), Exists(field="language"))

    plain = {hit.document_id: hit.score for hit in (await find(engine, words)).hits}
    narrowed = {hit.document_id: hit.score for hit in (await find(engine, AllOf(clauses=(words, *exact)))).hits}

    assert narrowed == {name: pytest.approx(plain[name]) for name in "ab"}


@pytest.mark.parametrize("value", ["*", "con*", "contract OR memo", "CONTRACT", "contrac", "contract/", "(contract)"])
async def test_a_value_is_compared_letter_by_letter(engine: SearchEngine, value: str) -> None:
    await index(engine, document("a", document_type="contract", industry="contract", tags=("contract",)))

    for name in ("document_types", "industries", "tags", "any_tags", "media_types"):
        assert await ids(engine, filters={name: [value]}) == []
    assert await ids(engine, Terms(field="tags", values=(value,))) == []


async def test_a_document_can_be_found_by_values_of_any_script(engine: SearchEngine) -> None:
    values = ("Vertrag Ä", "契約", "عقد", "😀 & <b>", "a" * 100, 'with: colon, "quotes" and \\')
    await index(engine, *(document(f"d{n}", document_type=value, tags=(value,)) for n, value in enumerate(values)))

    for number, value in enumerate(values):
        assert await ids(engine, filters={"document_types": [value]}) == [f"d{number}"]
        assert await ids(engine, filters={"tags": [value]}) == [f"d{number}"]
