"""What searches take for a word, and what the index takes for one."""

import sys
import unicodedata

from infrastructure.tantivy.words import words_of
from schemas.search.text import WORD

BESIDE = {"Mn", "Mc", "So"}


def test_every_sign_is_part_of_a_word_here_if_it_is_in_the_index() -> None:
    signs = [chr(one) for one in range(sys.maxunicode + 1) if unicodedata.category(chr(one)) in BESIDE]

    assert [sign for sign in signs if bool(WORD.match(sign)) != bool(words_of(f"{sign}"))] == []
