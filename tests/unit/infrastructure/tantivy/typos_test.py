"""Words one typing error apart."""

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.tantivy.searches.typos import LONGEST, SHORTEST, one_typo_away

WORDS = st.text("abcdxyz09", min_size=SHORTEST, max_size=12)


@given(word=WORDS, data=st.data())
def test_every_single_typing_error_is_among_them(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcz7"))
    errors = {
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
        word[: at + 1] + letter + word[at + 1 :],
        word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
    } - {word}

    assert errors <= set(one_typo_away(word))


@given(WORDS)
def test_none_of_them_is_the_word_itself_or_comes_twice(word: str) -> None:
    typos = list(one_typo_away(word))

    assert word not in typos
    assert len(typos) == len(set(typos))
    assert all(abs(len(typo) - len(word)) <= 1 for typo in typos)


def test_a_short_word_and_an_endless_one_have_none() -> None:
    assert list(one_typo_away("a" * (SHORTEST - 1))) == []
    assert list(one_typo_away("a" * (LONGEST + 1))) == []


def test_letters_come_from_the_words_own_script() -> None:
    assert "договор" in set(one_typo_away("догавор"))
    assert not any("a" <= letter <= "z" for typo in one_typo_away("догавор") for letter in typo)
