"""What every search engine owes its users: facets that count what a user would get by each choice. Run on each adapter."""

from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.ports.search import SearchEngine
from schemas.search import MAX_PERIODS, AllTerms, CalendarPeriod, Facet, FacetField, Filters, Match
from tests.contracts.search.searching import counts, document, fill, find, index

pytestmark = pytest.mark.anyio


async def facets(engine: SearchEngine, *fields: str, match: Match | None = None, **query: object) -> list[Facet]:
    return list((await find(engine, match, facets=fields, **query)).facets)


async def test_a_facet_counts_under_all_filters_but_its_own(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", document_type="contract", industry="legal"),
        document("b", document_type="memo", industry="legal"),
        document("c", document_type="memo", industry="health"),
        document("d", document_type="memo"),
    )

    results = await find(
        engine, filters=Filters(document_types=("memo",), industries=("legal",)), facets=("document_type", "industry")
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


async def test_every_field_is_counted(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", tags=("x", "y"), language="fr-CH", media_type="text/plain", industry="legal"),
        document("b", tags=("x",), language="fr", media_type="text/plain"),
        document("c", language=None, document_type="memo"),
    )

    found = await facets(engine, *FacetField)

    assert {facet.field: counts(facet) for facet in found} == {
        FacetField.DOCUMENT_TYPE: {"contract": 2, "memo": 1},
        FacetField.INDUSTRY: {"legal": 1},
        FacetField.LANGUAGE: {"fr": 2},
        FacetField.TAGS: {"x": 2, "y": 1},
        FacetField.MEDIA_TYPE: {"text/plain": 2},
        FacetField.CREATED_AT: {"2024-01-01": 3},
    }
    assert [facet.field for facet in found] == list(FacetField)


async def test_facets_count_the_hits_of_the_search_only(engine: SearchEngine) -> None:
    await index(engine, document("a", "lease", tags=("x",)), document("b", "loan", tags=("x", "y")))

    (facet,) = await facets(engine, "tags", match=AllTerms(text="lease"))

    assert counts(facet) == {"x": 1}


async def test_the_most_frequent_value_comes_first_and_of_equals_the_first_in_order(engine: SearchEngine) -> None:
    names = [*"ccc", *"bb", *"aa", "d"]
    await fill(engine, (document(f"d{n}", document_type=name) for n, name in enumerate(names)))

    (facet,) = await facets(engine, "document_type", facet_limit=2)

    assert [(value.value, value.count) for value in facet.values] == [("c", 3), ("a", 2)]
    assert facet.others == 3


async def test_tags_that_are_alternatives_leave_their_facet_whole_and_tags_that_must_all_be_there_narrow_it(
    engine: SearchEngine,
) -> None:
    await index(engine, document("a", tags=("x", "y")), document("b", tags=("y",)), document("c", tags=("z",)))

    (alternatives,) = await facets(engine, "tags", filters=Filters(any_tags=("x",)))
    (all_of_them,) = await facets(engine, "tags", filters=Filters(tags=("x",)))

    assert counts(alternatives) == {"y": 2, "x": 1, "z": 1}
    assert counts(all_of_them) == {"x": 1, "y": 1}


@pytest.mark.parametrize(
    ("field", "filters"),
    [
        ("industry", {"industries": ["chosen"]}),
        ("language", {"languages": ["xx"]}),
        ("tags", {"any_tags": ["chosen"]}),
        ("tags", {"tags": ["chosen"]}),
        ("media_type", {"media_types": ["chosen"]}),
    ],
)
async def test_a_chosen_value_of_any_field_is_listed_with_no_hits(
    engine: SearchEngine, field: str, filters: dict[str, list[str]]
) -> None:
    await index(engine, document("a", industry="legal", tags=("x",), media_type="text/plain"))

    (facet,) = await facets(engine, field, filters=filters)

    ((chosen,),) = filters.values()
    assert counts(facet)[chosen] == 0


async def test_a_chosen_language_of_one_country_is_counted_with_its_language(engine: SearchEngine) -> None:
    await index(engine, document("a", language="fr-CH"), document("b", language="fr"), document("c", language="de"))

    (facet,) = await facets(engine, "language", filters=Filters(languages=("fr-CH",)))

    assert counts(facet) == {"fr": 2, "de": 1}


async def test_a_facet_of_times_is_narrowed_by_all_filters_but_that_of_its_time(engine: SearchEngine) -> None:
    days = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 1, 2, 3)]
    await fill(
        engine, (document(f"d{n}", created_at=day, industry="legal" if n else None) for n, day in enumerate(days))
    )

    (facet,) = await facets(
        engine, "created_at", filters={"created": {"since": "2026-03-01T00:00:00Z"}, "industries": ["legal"]}
    )

    assert [(value.value, value.count) for value in facet.values] == [
        ("2026-01-01", 1),
        ("2026-02-01", 1),
        ("2026-03-01", 1),
    ]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (CalendarPeriod.DAY, {"1999-12-31": 1, "2024-02-29": 2, "2025-12-31": 1, "2026-01-01": 1}),
        (CalendarPeriod.WEEK, {"1999-12-27": 1, "2024-02-26": 2, "2025-12-29": 2}),
        (CalendarPeriod.MONTH, {"1999-12-01": 1, "2024-02-01": 2, "2025-12-01": 1, "2026-01-01": 1}),
        (CalendarPeriod.QUARTER, {"1999-10-01": 1, "2024-01-01": 2, "2025-10-01": 1, "2026-01-01": 1}),
        (CalendarPeriod.YEAR, {"1999-01-01": 1, "2024-01-01": 2, "2025-01-01": 1, "2026-01-01": 1}),
    ],
)
async def test_times_are_counted_by_calendar_periods_in_utc(
    engine: SearchEngine, period: CalendarPeriod, expected: dict[str, int]
) -> None:
    times = (
        "1999-12-31T23:59:59.999999+00:00",
        "2024-02-29T00:00:00+00:00",
        "2024-02-29T23:30:00-00:15",
        "2026-01-01T00:30:00+02:00",
        "2026-01-01T00:00:00+00:00",
    )
    await fill(
        engine, (document(f"d{n}", created_at=datetime.fromisoformat(time)) for n, time in enumerate(reversed(times)))
    )

    (facet,) = await facets(engine, "created_at", period=period, facet_limit=1)

    assert [(value.value, value.count) for value in facet.values] == list(expected.items())
    assert facet.others == 0


async def test_times_before_1970_and_far_ahead_have_periods_too(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", created_at=datetime(1700, 1, 1, tzinfo=UTC)),
        document("b", created_at=datetime(1969, 12, 31, 23, tzinfo=UTC)),
        document("c", created_at=datetime(2199, 12, 31, tzinfo=UTC)),
    )

    (months,) = await facets(engine, "created_at")
    (weeks,) = await facets(engine, "created_at", period="week")

    assert list(counts(months)) == ["1700-01-01", "1969-12-01", "2199-12-01"]
    assert list(counts(weeks)) == ["1699-12-28", "1969-12-29", "2199-12-30"]


async def test_of_too_many_periods_the_newest_are_listed_and_the_others_counted(engine: SearchEngine) -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    days = [first + timedelta(days=day) for day in range(MAX_PERIODS + 3)]
    await fill(engine, (document(f"d{n}", created_at=day) for n, day in enumerate([*days, first])))

    (facet,) = await facets(engine, "created_at", period="day")

    assert len(facet.values) == MAX_PERIODS
    assert [value.value for value in facet.values] == [day.date().isoformat() for day in days[3:]]
    assert facet.others == 4
