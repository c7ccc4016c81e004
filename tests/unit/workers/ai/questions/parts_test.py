"""Long texts in parts."""

from hypothesis import given
from hypothesis import strategies as st

from workers.ai.questions.parts import parts_of

SECTION = "## {}. Heading\n\nA first sentence of it. And a second one, which says more.\n\n"
TEXT = "".join(SECTION.format(number) for number in range(40))


def test_a_text_is_divided_before_its_headings() -> None:
    parts = parts_of(TEXT, 500)

    assert len(parts) > 5
    assert all(part.text.startswith("## ") for part in parts)
    assert all(len(part.text) <= 500 for part in parts)


def test_without_structure_it_is_divided_at_sentences_then_words_then_anywhere() -> None:
    assert [part.text for part in parts_of("One two. Three four. Five six.", 22)] == [
        "One two. Three four. ",
        "Five six.",
    ]
    assert [part.text for part in parts_of("one two three four", 12)] == ["one two ", "three four"]
    assert [part.text for part in parts_of("x" * 25, 10)] == ["x" * 10, "x" * 10, "x" * 5]


def test_a_short_text_is_one_part() -> None:
    assert [(part.index, part.offset, part.text) for part in parts_of("Short.", 500)] == [(0, 0, "Short.")]


@given(st.text(st.sampled_from("a .\n#1😀"), max_size=300), st.integers(1, 50))
def test_the_parts_are_the_text_in_order_and_none_is_too_long(text: str, longest: int) -> None:
    parts = parts_of(text, longest)

    assert "".join(part.text for part in parts) == text
    assert all(text[part.offset :].startswith(part.text) for part in parts)
    assert all(len(part.text) <= longest for part in parts)
