"""What a person types becomes the clauses they meant, and no text fails."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.searching.typed import typed
from schemas.search import MAX_CLAUSES, MAX_WORDS, AllOf, AllTerms, AnyOf, Match, NoneOf, Phrase, Prefix, SearchQuery
from schemas.search.match import check_size, check_words, walk
from schemas.search.text import WORD


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("lease", AllTerms(text="lease")),
        ("  lease   of land ", AllTerms(text="lease of land")),
        ('"notice period"', Phrase(text="notice period")),
        ("“notice period”", Phrase(text="notice period")),
        (
            'lease "notice period"',
            AllOf(clauses=(AllTerms(text="lease"), Phrase(text="notice period"))),
        ),
        ("agree*", Prefix(text="agree")),
        ("lease -draft", AllOf(clauses=(AllTerms(text="lease"), NoneOf(clauses=(AllTerms(text="draft"),))))),
        ('-"first draft" -old', NoneOf(clauses=(Phrase(text="first draft"), AllTerms(text="old")))),
        ("lease OR rental", AnyOf(clauses=(AllTerms(text="lease"), AllTerms(text="rental")))),
        (
            "land lease OR rental -old",
            AllOf(
                clauses=(
                    AllTerms(text="land"),
                    AnyOf(clauses=(AllTerms(text="lease"), AllTerms(text="rental"))),
                    NoneOf(clauses=(AllTerms(text="old"),)),
                )
            ),
        ),
        ("a OR b OR c", AnyOf(clauses=(AllTerms(text="a"), AllTerms(text="b"), AllTerms(text="c")))),
        ("a OR -b", AnyOf(clauses=(AllTerms(text="a"), NoneOf(clauses=(AllTerms(text="b"),))))),
        ("OR gate", AllTerms(text="OR gate")),
        ("either OR", AllTerms(text="either OR")),
        ("lease or rental", AllTerms(text="lease or rental")),
        ('5" pipe', AllTerms(text="5 pipe")),
        ("e-mail", AllTerms(text="e-mail")),
        ("lease - draft", AllTerms(text="lease draft")),
        ("lease & *** land", AllTerms(text="lease land")),
        ('""lease""', AllTerms(text="lease")),
    ],
)
def test_a_text_means(text: str, meant: Match) -> None:
    assert typed(text).match == meant


def test_words_are_known_by_their_places_unless_they_are_quoted_excluded_or_beginnings() -> None:
    text = 'lese OR land "notice perod" -drft agre* re-use'

    words = typed(text).words

    assert [word.text for word in words] == ["lese", "land", "re", "use"]
    assert all(text[word.start : word.end] == word.text for word in words)


def test_of_a_text_with_too_much_the_first_counts() -> None:
    exclusions = typed("-a " * 100).match
    alternatives = typed("a" + " OR a" * 58).match
    words = typed("a " * 100).match
    phrase = typed('"' + "a " * 100 + '"').match

    assert isinstance(exclusions, NoneOf)
    assert len(exclusions.clauses) == MAX_CLAUSES - 2
    assert isinstance(alternatives, AnyOf)
    assert len(alternatives.clauses) == 59
    assert isinstance(words, AllTerms)
    assert isinstance(phrase, Phrase)
    assert [len(one.text.split()) for one in (words, phrase)] == [MAX_WORDS, MAX_WORDS]


_PIECES = st.sampled_from(
    ['"', "-", "*", "OR", " ", "a", "é", "“", "”", "−", "\u200f", "_", "(", ":", "AND", "\n", "1"]
)


@given(st.one_of(st.text(max_size=300), st.lists(_PIECES, max_size=300).map("".join)))
@example('"' * 299 + "a")
@example("-a " * 100)
@example("a OR -b " * 37)
@example('a OR -"b c" ' * 25)
@example("a*" * 150)
@example("-a OR b " * 37)
@example("a OR b " * 42)
@example("---a")
@example("OR OR OR")
def test_no_text_fails_and_every_tree_could_have_been_sent(text: str) -> None:
    try:
        query = SearchQuery(text=text)
    except ValidationError:
        return
    assert query.text is not None
    found = typed(query.text)

    check_size(found.match)
    check_words(found.match)
    assert SearchQuery.model_validate_json(SearchQuery(match=found.match).model_dump_json()).match == found.match
    assert all(text[word.start : word.end] == word.text for word in found.words)
    assert (
        sum(len(WORD.findall(clause.text)) for clause, _ in walk(found.match) if hasattr(clause, "text")) <= MAX_WORDS
    )
