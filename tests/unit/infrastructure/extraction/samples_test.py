"""The samples that aren't plain text are read whole."""

import pytest

from tests.sample_documents.__main__ import AS_DOCX, AS_PDF, SAMPLES, blocks_of
from tests.unit.infrastructure.extraction.conftest import Extract, text_of

LANGUAGES = {
    "audit-engagement-letter": "en",
    "mietvertrag-lagerhalle": "de",
    "employment-contract": "en",
    "proces-verbal-assemblee-generale": "fr",
}


@pytest.mark.parametrize("name", [*AS_PDF, *AS_DOCX])
def test_a_sample_has_every_word_of_the_text_it_was_made_from(extract: Extract, name: str) -> None:
    path = SAMPLES / f"{name}.{'pdf' if name in AS_PDF else 'docx'}"

    extracted = text_of(extract(path.read_bytes()))

    words = " ".join(extracted.text.split())
    for block in blocks_of(name):
        for piece in [block] if isinstance(block, str) else [cell for row in block for cell in row]:
            assert " ".join(piece.replace("**", "").lstrip("# ").split()) in words
    assert extracted.language.code == LANGUAGES[name]
    assert extracted.title == extracted.text.split("\n", 1)[0]
