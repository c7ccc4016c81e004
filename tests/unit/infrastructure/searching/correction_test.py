"""Which words are corrected, in which order, and how the corrected text reads."""

import pytest

from infrastructure.ports.search import Spelling
from infrastructure.searching.correction import MAX_TRIES, correctable, likeliest, with_words_replaced
from infrastructure.searching.typed import TypedWord, typed


def found(text: str, **spellings: tuple[int, list[Spelling]]) -> list[tuple[TypedWord, tuple[int, list[Spelling]]]]:
    return [(word, spellings.get(word.text, (0, []))) for word in typed(text).words]


def tried(text: str, **spellings: tuple[int, list[Spelling]]) -> list[str]:
    return [with_words_replaced(text, replacement) for replacement in likeliest(found(text, **spellings))]


@pytest.mark.parametrize(
    "text", ["A4711", "iPhon", "McDonld", '"agrement"', "-agrement", "agre*", "covid19", '-"notice perod"', "x" * 41]
)
def test_codes_names_and_what_was_quoted_excluded_or_begun_are_never_corrected(text: str) -> None:
    assert correctable(typed(text).words) == []


def test_ordinary_words_are() -> None:
    assert [word.text for word in correctable(typed("Agrement LEAS perod").words)] == ["Agrement", "LEAS", "perod"]


def test_a_word_that_three_documents_have_is_left_as_it_is() -> None:
    assert tried("leas", leas=(3, [Spelling("lease", 900, 1)])) == []


def test_of_two_misspelled_words_the_likeliest_pair_comes_first() -> None:
    texts = tried(
        "agrement perod",
        agrement=(0, [Spelling("agreement", 90, 1), Spelling("abasement", 2, 2)]),
        perod=(0, [Spelling("period", 40, 1), Spelling("prod", 4, 1)]),
    )

    assert texts == ["agreement period", "agreement prod", "abasement period", "abasement prod"]


def test_a_word_that_a_document_has_may_stay_while_the_other_is_corrected() -> None:
    texts = tried("leas perod", leas=(1, [Spelling("lease", 90, 1)]), perod=(0, [Spelling("period", 40, 1)]))

    assert texts == ["leas period", "lease period"]


def test_so_many_combinations_are_tried_and_no_more() -> None:
    many = (0, [Spelling(f"word{letter}", 9, 1) for letter in "abc"])

    assert len(tried("aaaa bbbb cccc dddd", aaaa=many, bbbb=many, cccc=many, dddd=many)) == MAX_TRIES


def test_the_users_own_wording_is_kept() -> None:
    texts = tried(
        'Agrement  -draft "As Is" LEAS (perod)',
        Agrement=(0, [Spelling("agreement", 9, 1)]),
        LEAS=(0, [Spelling("lease", 9, 1)]),
        perod=(0, [Spelling("period", 9, 1)]),
    )

    assert texts[0] == 'Agreement  -draft "As Is" LEASE (period)'
