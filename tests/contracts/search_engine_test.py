"""What every search engine owes its users: which documents it finds, and which copy of them. Run on each adapter."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.ports.search import IndexedDocument, IndexMissing, SearchEngine
from schemas.search import MAX_LEVELS, AllOf, AllTerms, AnyOf, Match, NoneOf, Phrase, Prefix, SearchQuery
from tests.contracts.conftest import SearchAdapter
from tests.contracts.searching import ACME, batches, document, find, ids, index

pytestmark = pytest.mark.anyio


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
    for _ in range(MAX_LEVELS - 1):
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


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), max_size=12))
async def test_whatever_the_order_the_newest_version_of_each_document_stands_alone(
    search_adapter: SearchAdapter, tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, int]]
) -> None:
    async with search_adapter(tmp_path_factory.mktemp("order")) as engine:
        await engine.rebuild(ACME, batches())
        await index(engine, *(document(name, f"v{version}", version=version) for name, version in writes))
        hits = (await find(engine, limit=100)).hits

    newest: dict[str, int] = {}
    for name, version in writes:
        newest[name] = max(version, newest.get(name, 0))
    assert sorted((hit.document_id, hit.version) for hit in hits) == sorted(newest.items())


async def test_no_tenant_sees_anothers_documents(engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(document("a", "secret of the other")))
    await index(engine, document("a", "ours"))

    assert await ids(engine, AllTerms(text="secret")) == []
    assert (await engine.search(other, SearchQuery())).results.total == 1
    assert (await find(engine, facets=("document_type",))).facets[0].values[0].count == 1


async def test_a_tenant_without_documents_finds_nothing(engine: SearchEngine) -> None:
    assert (await engine.search(uuid4(), SearchQuery(match=AllTerms(text="word")))).results.total == 0


async def test_indexing_without_an_index_asks_for_one(engine: SearchEngine) -> None:
    with pytest.raises(IndexMissing):
        await engine.index(uuid4(), document("a"))


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
