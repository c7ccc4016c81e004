"""What every search engine owes its users: which documents words and clauses find. Run on each adapter."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.ports.search import SearchEngine
from schemas.search import (
    MAX_CLAUSES,
    MAX_LEVELS,
    AllOf,
    AllTerms,
    AnyOf,
    Exists,
    Match,
    NoneOf,
    Phrase,
    Prefix,
    Range,
    Terms,
)
from tests.contracts.search.searching import document, ids, index

pytestmark = pytest.mark.anyio


async def test_a_word_is_found_in_title_and_body_whatever_its_case_and_accents(engine: SearchEngine) -> None:
    await index(engine, document("a", "Über die Straße in MÜNCHEN"), document("b", title="Zürich"))

    assert await ids(engine, AllTerms(text="münchen")) == ["a"]
    assert await ids(engine, AllTerms(text="Munchen strasse")) == ["a"]
    assert await ids(engine, AllTerms(text="ZURICH")) == ["b"]


@pytest.mark.parametrize("text", ["किराया अनुबंध", "नमस्ते", "வாடகை ஒப்பந்தம்", "สัญญาเช่า", "كِتَاب", "שָׁלוֹם", "ⓐ"])
async def test_words_of_any_script_are_found_as_they_are_written(engine: SearchEngine, text: str) -> None:
    await index(engine, document("a", f"({text})"), document("b", "other", title=text), document("c", "other"))

    assert set(await ids(engine, AllTerms(text=text))) == {"a", "b"}
    assert set(await ids(engine, AllTerms(text=text.split()[0]))) == {"a", "b"}
    assert set(await ids(engine, Phrase(text=text))) == {"a", "b"}


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


async def test_a_clause_may_look_in_one_field_only(engine: SearchEngine) -> None:
    await index(engine, document("title", "nothing", title="The leases"), document("text", "the leases", title="None"))

    for name, found in (("title", ["title"]), ("text", ["text"]), ("anywhere", ["text", "title"])):
        for clause in (
            AllTerms(text="leases", field=name),
            AllTerms(text="lease", field=name),
            AllTerms(text="leasse", fuzzy=True, field=name),
            Phrase(text="the leases", field=name),
            Phrase(text="leases", field=name),
            Prefix(text="lea", field=name),
            Prefix(text="the lea", field=name),
        ):
            assert sorted(await ids(engine, clause)) == found, clause


async def test_words_of_a_clause_of_one_field_must_all_be_in_it(engine: SearchEngine) -> None:
    await index(engine, document("a", "signed in March", title="Lease"))

    assert await ids(engine, AllTerms(text="lease signed")) == ["a"]
    assert await ids(engine, AllTerms(text="lease signed", field="title")) == []
    assert await ids(engine, AllTerms(text="lease signed", field="text")) == []


async def test_a_clause_counts_for_as_much_as_its_weight(engine: SearchEngine) -> None:
    await index(engine, document("a", "alpha"), document("b", "beta"), document("c", "gamma"))
    alpha, beta = AllTerms(text="alpha", weight=3), AllTerms(text="beta", weight=0.5)

    assert await ids(engine, AnyOf(clauses=(alpha, beta))) == ["a", "b"]
    assert await ids(engine, AnyOf(clauses=(AllTerms(text="alpha"), AllTerms(text="beta", weight=10)))) == ["b", "a"]
    assert await ids(engine, AnyOf(clauses=(Prefix(text="alp", weight=0.1), Phrase(text="beta", weight=10)))) == [
        "b",
        "a",
    ]


@pytest.mark.parametrize("around", [AllOf, AnyOf])
async def test_as_many_clauses_as_allowed_are_answered(engine: SearchEngine, around: type[AllOf | AnyOf]) -> None:
    await index(engine, document("a", " ".join(f"word{n}" for n in range(MAX_CLAUSES))))

    clauses = tuple(AllTerms(text=f"word{n}", fuzzy=True) for n in range(MAX_CLAUSES - 1))

    assert await ids(engine, around(clauses=clauses)) == ["a"]


@pytest.mark.parametrize("around", [AllOf, AnyOf, NoneOf])
@pytest.mark.parametrize(
    "leaf",
    [
        AllTerms(text="alpha", fuzzy=True),
        Phrase(text="alpha beta"),
        Prefix(text="alp"),
        Terms(field="tags", values=("x",)),
        Range(field="pages", at_least=1),
        Exists(field="tags"),
    ],
    ids=lambda leaf: leaf.op,
)
async def test_each_clause_may_be_as_deep_as_allowed(
    engine: SearchEngine, around: type[AllOf | AnyOf | NoneOf], leaf: Match
) -> None:
    await index(engine, document("a", "alpha beta", tags=("x",), pages=3), document("b"))
    match = leaf
    for _ in range(MAX_LEVELS - 1):
        match = around(clauses=(match,))

    assert await ids(engine, match, facets=("tags",)) == (["b"] if around is NoneOf else ["a"])


@pytest.mark.parametrize("leaf", [AllTerms, Phrase, Prefix])
async def test_the_longest_text_is_answered(engine: SearchEngine, leaf: type[AllTerms | Phrase | Prefix]) -> None:
    await index(engine, document("a", "word " * 60), document("b", "x" * 300), document("c", "(" * 299 + "w"))

    assert await ids(engine, leaf(text="word " * 60)) == ["a"]
    assert sorted(await ids(engine, leaf(text="(" * 299 + "w"))) == (["a", "c"] if leaf is Prefix else ["c"])
    await ids(engine, leaf(text="x" * 300))


async def test_decomposed_letters_are_the_same_as_composed_ones(engine: SearchEngine) -> None:
    await index(engine, document("composed", "in München"), document("decomposed", "in Mu\u0308nchen"))

    for text in ("München", "Mu\u0308nchen", "munchen"):
        assert sorted(await ids(engine, AllTerms(text=text))) == ["composed", "decomposed"]


async def test_null_characters_and_controls_are_no_part_of_a_word(engine: SearchEngine) -> None:
    await index(engine, document("a", "alpha\x00beta\x1b gamma\u202e"))

    assert await ids(engine, AllTerms(text="beta alpha gamma")) == ["a"]
