"""What every search engine owes its users: marks where the words are, counted as a reader counts characters. Run on each
adapter."""

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.ports.search import SearchEngine
from schemas.search import AllOf, AllTerms, Match, NoneOf, Phrase, Prefix
from tests.contracts.search.searching import ACME, batches, document, find, index, marked

pytestmark = pytest.mark.anyio


async def test_a_snippet_marks_what_matched_counted_in_characters(engine: SearchEngine) -> None:
    body = "Äußerst früh: 日本語 😀. " * 40 + "Die Vereinbarungen über Straßen gelten. " + "Schluß. " * 40
    await index(engine, document("a", body, language="de"))

    (hit,) = (await find(engine, AllTerms(text="vereinbarung strassen"), snippet_characters=100)).hits

    assert hit.snippet is not None
    assert hit.snippet.text in body
    assert len(hit.snippet.text) <= 100
    assert [hit.snippet.text[mark.start : mark.end] for mark in hit.snippet.marks] == ["Vereinbarungen", "Straßen"]


@pytest.mark.parametrize("before", ["dolor " * 60, "word. " * 200, "w" * 50 + " ", "w" * 300 + " "])
async def test_a_short_snippet_has_the_word_whole(engine: SearchEngine, before: str) -> None:
    await index(engine, document("a", f"{before}needleinbig"), document("b", f"{before}needleinbig {before}"))

    for hit in (await find(engine, AllTerms(text="needleinbig"), snippet_characters=40)).hits:
        assert hit.snippet is not None
        assert len(hit.snippet.text) <= 40
        assert [hit.snippet.text[mark.start : mark.end] for mark in hit.snippet.marks] == ["needleinbig"]


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


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (AllTerms(text="liability"), ["Liability"]),
        (AllTerms(text="agreement"), ["Agreements"]),
        (AllTerms(text="liabilty", fuzzy=True), ["Liability"]),
        (Prefix(text="and agr"), ["and", "Agreements"]),
        (Phrase(text="and agreements"), ["and", "Agreements"]),
        (AllTerms(text="liability", field="title"), ["Liability"]),
        (AllTerms(text="words"), []),
    ],
    ids=str,
)
async def test_titles_are_marked_like_texts(engine: SearchEngine, match: Match, expected: list[str]) -> None:
    await index(engine, document("a", "some words", title="Über 😀: Liability and Agreements"))

    (hit,) = (await find(engine, match)).hits

    assert marked(hit.title, hit.title_marks) == expected
    assert (await find(engine, match, highlight=False)).hits[0].title_marks == ()


async def test_a_clause_of_one_field_marks_nothing_in_the_other(engine: SearchEngine) -> None:
    await index(engine, document("a", "the lease", title="The lease"))

    (in_title,) = (await find(engine, AllTerms(text="lease", field="title"))).hits
    (in_text,) = (await find(engine, AllTerms(text="lease", field="text"))).hits

    assert in_title.snippet is not None
    assert in_text.snippet is not None
    assert (marked(in_title.title, in_title.title_marks), in_title.snippet.marks) == (["lease"], ())
    assert (in_text.title_marks, marked(in_text.snippet.text, in_text.snippet.marks)) == ((), ["lease"])


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("👩‍👩‍👧 the lease 😀", "lease", "lease"),
        ("שלום עולם", "עולם", "עולם"),
        ("هذا عقد إيجار", "عقد", "عقد"),
        ("\u202ethe lease\u202c", "lease", "lease"),
        ("in Mu\u0308nchen am Rhein", "München", "München"),
        ("in München am Rhein", "Mu\u0308nchen", "München"),
        ("un cafe\u0301 noir", "cafe", "café"),
        ("𝔘𝔫𝔦 the lease 𐍈", "lease", "lease"),
        ("настоящий договор", "договор", "договор"),
        ("zum Geschäft & <b>Straße</b>", "strasse", "Straße"),
    ],
)
async def test_marks_are_right_in_every_script(engine: SearchEngine, text: str, word: str, expected: str) -> None:
    await index(engine, document("a", text, title=text, language=None))

    (hit,) = (await find(engine, AllTerms(text=word))).hits

    assert hit.snippet is not None
    for shown, marks in ((hit.title, hit.title_marks), (hit.snippet.text, hit.snippet.marks)):
        assert [unicodedata.normalize("NFC", word) for word in marked(shown, marks)] == [expected]


LETTERS = st.text(st.sampled_from("aeéu\u0301\u0308 ä😀👩‍👧שלעق\u064bहि्दी.,<&-"), max_size=60)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=LETTERS, after=LETTERS)
async def test_a_word_is_marked_whatever_stands_around_it(engine: SearchEngine, before: str, after: str) -> None:
    text = f"{before} zebra {after}"
    await engine.rebuild(ACME, batches(document("a", text, title=text, language=None)))

    (hit,) = (await find(engine, AllTerms(text="zebra"), snippet_characters=500)).hits

    assert hit.snippet is not None
    assert marked(hit.title, hit.title_marks) == ["zebra"]
    assert marked(hit.snippet.text, hit.snippet.marks) == ["zebra"]
