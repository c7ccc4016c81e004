"""A sealed field reaches an index only with a recorded reason."""

from dataclasses import fields

import pytest

from infrastructure.ports.search import IndexedDocument
from schemas.model import Model
from schemas.search import IndexDocument, SealedAtRest, SentDocument


@pytest.mark.parametrize("sent", [IndexDocument, SentDocument])
def test_every_sealed_field_that_an_index_takes_has_its_reason_recorded(sent: type[Model]) -> None:
    taken = {field.name for field in fields(IndexedDocument)}
    reasons = {
        name: mark.indexed_because
        for name, field in sent.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, SealedAtRest)
    }

    assert reasons.keys() == {"text"}
    assert all(reasons[name] for name in reasons.keys() & taken)


def test_a_document_on_its_way_to_an_index_shows_no_text() -> None:
    shown = {field.name for field in fields(IndexedDocument) if field.repr}

    assert not shown & {"title", "text"}
