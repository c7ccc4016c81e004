"""Passages that a model quotes, looked for in the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.ai.quoting import Passages

TEXT = "The Rent is due.\nOn 3 March\n2026 Acme Ltd (the “Tenant”) pays EUR 10 and later EUR 100, then EUR 10 — again."


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("The Rent is due.", "The Rent is due."),
        (" EUR 100 ", "EUR 100"),
        ("3 March 2026", "3 March\n2026"),
        ('Acme Ltd (the "Tenant")', "Acme Ltd (the “Tenant”)"),
        ("EUR 10 - again", "EUR 10 — again"),
    ],
)
def test_a_passage_is_found_as_written_or_with_other_blanks_and_marks(written: str, found: str) -> None:
    quote = Passages(TEXT).find(written)

    assert quote is not None
    assert quote.text == found
    assert TEXT[quote.offset :].startswith(found)


@pytest.mark.parametrize("written", ["", "  ", None, "the rent is due", "EUR 1,000", "The Rent due.", "x" * 10_000])
def test_what_the_text_doesn_t_say_is_not_found(written: str | None) -> None:
    assert Passages(TEXT).find(written) is None


def test_the_same_words_again_are_the_next_place_and_none_is_inside_of_a_longer_word() -> None:
    found = [quote.offset for quote in Passages(TEXT).in_order(iter(["EUR 10", "EUR 10"])) if quote]

    assert found == [TEXT.index("EUR 10 and"), TEXT.index("EUR 10 —")]


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60)
"""As commands and stored documents have them."""


@given(texts, texts)
def test_whatever_is_found_stands_where_it_says(text: str, written: str) -> None:
    quote = Passages(text).find(written)

    assert quote is None or text[quote.offset : quote.offset + len(quote.text)] == quote.text
