"""Which language a text is in."""

import pytest

from infrastructure.offline.text.language import language_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The tenant shall pay the rent on the first day of every month.", "en"),
        ("Der Mieter zahlt die Miete am ersten Werktag eines jeden Monats.", "de"),
        ("Le locataire paie le loyer le premier jour de chaque mois.", "fr"),
    ],
)
def test_a_sentence_is_enough_to_tell(text: str, code: str) -> None:
    assert language_of(text).code == code


@pytest.mark.parametrize("text", ["12.50", "OK", "—", "2026 / 31"])
def test_a_text_without_words_has_no_language(text: str) -> None:
    assert language_of(text).code == "und"
