"""A document's text has one name, and commands stored under its earlier one are still understood."""

from typing import Any

import pytest

from schemas.ai import GenerateDocument, SectionTemplate
from schemas.catalogue import COMMANDS
from schemas.commands import Command
from schemas.model import Model
from schemas.search import IndexDocument

INDEXED = {"document_id": "a", "title": "Lease", "document_type": "contract"}
WRITTEN = {"title": "Lease"}


def test_no_command_calls_a_documents_text_anything_else() -> None:
    models: tuple[type[Model], ...] = (*COMMANDS.values(), SectionTemplate)
    for model in models:
        assert not {"body", "content", "markdown"} & model.model_fields.keys(), model


@pytest.mark.parametrize(
    ("command", "stored", "understood"),
    [
        (IndexDocument, {**INDEXED, "body": "Rent."}, {**INDEXED, "text": "Rent."}),
        (
            GenerateDocument,
            {**WRITTEN, "sections": [{"heading": "Rent", "body": "Due."}]},
            {**WRITTEN, "sections": [{"heading": "Rent", "text": "Due."}]},
        ),
        (GenerateDocument, {**WRITTEN, "template": "mutual_nda"}, {**WRITTEN, "template": "mutual_nda"}),
    ],
)
def test_a_command_of_the_first_version_is_understood(
    command: type[Command], stored: dict[str, Any], understood: dict[str, Any]
) -> None:
    assert command.model_validate(command.upcast(1, stored)) == command.model_validate(understood)
    assert command.upcast(2, understood) == understood
