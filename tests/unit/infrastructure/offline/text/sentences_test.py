"""Where sentences end."""

import pytest

from infrastructure.offline.text.sentences import Block, prose_in, sentences_in


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is late. We go.", ["It is late.", "We go."]),
        ("Mr. Tait and Dr. Lee met. They spoke.", ["Mr. Tait and Dr. Lee met.", "They spoke."]),
        ("Am 14. März begann es. Dann nicht.", ["Am 14. März begann es.", "Dann nicht."]),
        ("See Schedule 2. The rest follows.", ["See Schedule 2.", "The rest follows."]),
        ("Held at\n10.00 a.m. in Leith.", ["Held at\n10.00 a.m. in Leith."]),
        ("Is it? Yes! Good.", ["Is it?", "Yes!", "Good."]),
        ("It costs 3.5 million. Fine.", ["It costs 3.5 million.", "Fine."]),
        ("He said “stop.” She did.", ["He said “stop.”", "She did."]),
        ("- First thing.\n- Second thing.", ["First thing.", "Second thing."]),
        ("1.1 The first.\n1.2 The second.", ["The first.", "The second."]),
    ],
)
def test_a_sentence_ends_where_a_reader_says_it_does(text: str, sentences: list[str]) -> None:
    assert [sentence.text for sentence in prose_in(text)] == sentences


def test_headings_tables_and_labels_are_no_sentences() -> None:
    text = "# Title\n\nBody here.\n\n| a | b |\n|---|---|\n\nDate:    3 May\n\n1. Scope\n\nMore here."

    assert [sentence.block for sentence in sentences_in(text)] == [
        Block.HEADING,
        Block.PROSE,
        Block.TABLE,
        Block.TABLE,
        Block.TABLE,
        Block.HEADING,
        Block.PROSE,
    ]


def test_no_sentence_is_longer_than_its_limit() -> None:
    assert max(len(sentence.text) for sentence in sentences_in("word " * 2_000)) <= 1_500
