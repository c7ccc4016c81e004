"""Words are counted as Python parts them."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.extraction.word_count import count_words

BLANKS = [chr(number) for number in range(sys.maxunicode) if chr(number).isspace()]


@given(st.text(st.sampled_from([*BLANKS, "a", "ä", "–", "ж", "、", "\u200b", "😀"]) | st.characters()))
def test_as_many_words_are_counted_as_there_are_between_blanks(text: str) -> None:
    assert count_words(text) == len(text.split())


def test_each_blank_parts_words() -> None:
    assert [count_words(f"ä{blank}ä") for blank in BLANKS] == [2] * len(BLANKS)
