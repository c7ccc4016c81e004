"""Text is cleaned alike whichever way is taken to see that it has to be."""

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.extraction.text_builder import _UNWANTED, _is_clean, clean


@given(st.text(st.characters(exclude_categories=()) | st.sampled_from("\r\n\t\x00\x7f\ufffe")))
def test_what_is_taken_for_clean_has_nothing_unwanted(text: str) -> None:
    assert _is_clean(text) == (_UNWANTED.search(text) is None)
    assert _UNWANTED.search(clean(text)) is None
    assert "\r" not in clean(text)
