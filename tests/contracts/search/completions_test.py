"""What every search engine owes whoever begins to type: titles and words that are really there. Run on each adapter."""

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.ports.search import Completion, SearchEngine
from schemas.search import Filters
from tests.contracts.search.searching import ACME, batches, document, index

pytestmark = pytest.mark.anyio
ALL = Filters()


async def completions(
    engine: SearchEngine, beginning: str, filters: Filters = ALL, limit: int = 50
) -> list[Completion]:
    return list(await engine.complete(ACME, beginning, filters, limit=limit))


async def titles(engine: SearchEngine, beginning: str, filters: Filters = ALL) -> dict[str, int]:
    found = await completions(engine, beginning, filters)
    return {one.text: one.documents for one in found if one.document_id is not None}


async def words(engine: SearchEngine, beginning: str, filters: Filters = ALL) -> dict[str, int]:
    found = await completions(engine, beginning, filters)
    return {one.text: one.documents for one in found if one.document_id is None}


async def test_titles_with_a_word_that_begins_so_are_completed(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", title="Lease of an office"),
        document("b", title="The Leasehold"),
        document("c", title="Release"),
        document("d", "lease", title="Other"),
    )

    assert set(await titles(engine, "lea")) == {"Lease of an office", "The Leasehold"}
    assert set(await titles(engine, "LEASE")) == {"Lease of an office", "The Leasehold"}
    assert {one.text: one.document_id for one in await completions(engine, "lease off")} == {
        "Lease of an office": "a",
        "lease office": None,
    }


async def test_the_words_before_the_last_must_be_whole(engine: SearchEngine) -> None:
    await index(engine, document("a", "nothing", title="Limited Liability"))

    assert set(await titles(engine, "limited li")) == {"Limited Liability"}
    assert await completions(engine, "lim li") == []


async def test_accents_and_case_do_not_matter(engine: SearchEngine) -> None:
    await index(engine, document("a", "die Straße", title="Übergabe in Zürich"))

    assert set(await titles(engine, "uber")) == set(await titles(engine, "ÜBERGABE IN zu")) == {"Übergabe in Zürich"}
    assert await words(engine, "stras") == {"strasse": 1}


async def test_a_title_that_several_documents_have_comes_once_and_is_counted(engine: SearchEngine) -> None:
    await index(engine, *(document(f"d{n}", title="Lease") for n in range(3)), document("x", title="Lease two"))

    assert await titles(engine, "lea") == {"Lease": 3, "Lease two": 1}


async def test_words_of_titles_and_texts_are_completed_and_counted_by_documents(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", "liability liability", title="Liability"),
        document("b", "a liability and liabilities", title="Other"),
        document("c", "the lien", title="Other"),
    )

    assert await words(engine, "li") == {"liability": 2, "liabilities": 1, "lien": 1}
    assert await words(engine, "liabilities") == {"liabilities": 1}
    assert await words(engine, "nothing") == {}


async def test_the_words_before_come_with_the_completed_one_and_are_in_its_documents(engine: SearchEngine) -> None:
    await index(engine, document("a", "limited liability", title="x"), document("b", "limitless lien", title="y"))

    assert await words(engine, "Limited li") == {"limited liability": 1}
    assert await words(engine, "limitless li") == {"limitless lien": 1}
    assert await words(engine, "limit li") == {}


async def test_the_more_frequent_word_comes_first(engine: SearchEngine) -> None:
    await index(engine, *(document(f"d{n}", "contract confirm" if n else "contract") for n in range(3)))

    found = [one.text for one in await completions(engine, "con") if one.document_id is None]

    assert found == ["contract", "confirm"]


async def test_only_documents_that_pass_the_filters_are_completed_and_counted(engine: SearchEngine) -> None:
    await index(
        engine,
        document("a", "liability", title="Lien", tags=("ours",)),
        document("b", "liability lease", title="List", tags=("theirs",)),
        document("c", "liability", title="Lien", tags=("theirs",)),
    )

    assert await titles(engine, "li", Filters(tags=("ours",))) == {"Lien": 1}
    assert await words(engine, "li", Filters(tags=("ours",))) == {"liability": 1, "lien": 1}
    assert await words(engine, "lea", Filters(tags=("ours",))) == {}
    assert await titles(engine, "li", Filters(document_ids=("a", "c"))) == {"Lien": 2}


async def test_what_was_deleted_or_replaced_is_completed_no_more(engine: SearchEngine) -> None:
    await index(engine, document("a", "liability", title="Lien"), document("b", "liability", title="Lien"))
    await engine.delete(ACME, "a", 2)

    assert await titles(engine, "li") == {"Lien": 1}
    assert await words(engine, "li") == {"liability": 1, "lien": 1}

    await index(engine, document("b", "other", title="Other", version=2))
    assert await completions(engine, "li") == []


async def test_no_more_come_than_were_asked_for(engine: SearchEngine) -> None:
    await engine.rebuild(ACME, batches(*(document(f"d{n}", f"word{n}", title=f"Word {n}") for n in range(30))))

    assert len(await completions(engine, "wo", limit=7)) == 7
    assert len(await completions(engine, "wo", limit=1)) == 1


async def test_no_tenant_is_offered_anothers_words(engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(document("a", "secret", title="Secret")))

    assert await completions(engine, "sec") == []
    assert list(await engine.complete(uuid4(), "sec", ALL, limit=5)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    beginning=st.one_of(
        st.text(max_size=20).filter(lambda text: "z" not in text.casefold()),
        st.sampled_from(
            ["", " ", "*", ".*", "(" * 300, "\x00", "\ud800", "a" * 5_000, "a " * 5_000, "\u202e", "[", "\\"]
        ),
    )
)
async def test_no_beginning_is_taken_for_a_pattern(engine: SearchEngine, beginning: str) -> None:
    await index(engine, document("only", "zzyzx", title="zzyzx"))

    assert await completions(engine, beginning) == []
