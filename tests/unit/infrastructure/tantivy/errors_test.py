"""What Tantivy throws, as the rest of the product knows it."""

from pathlib import Path

import pytest
from tantivy import Index, Query

from infrastructure.ports import Unavailable
from infrastructure.tantivy.errors import tantivy_errors
from infrastructure.tantivy.fields import SCHEMA
from schemas.search import Snippet


def test_a_panic_ends_a_call_and_no_process() -> None:
    searcher = Index(SCHEMA).searcher()

    with pytest.raises(Unavailable, match="acme can't be used: Tantivy panicked"), tantivy_errors(Path("acme")):
        searcher.search(Query.all_query(), 0)


def test_an_answer_that_cannot_be_given_shows_nothing_of_the_document() -> None:
    with pytest.raises(Unavailable) as told, tantivy_errors(Path("acme")):
        Snippet(text="secret \x00")

    assert "secret" not in str(told.value)


def test_what_ends_the_process_is_let_through() -> None:
    with pytest.raises(KeyboardInterrupt), tantivy_errors(Path("acme")):
        raise KeyboardInterrupt
