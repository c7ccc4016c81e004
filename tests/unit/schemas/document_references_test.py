"""Commands refer to stored documents in place of a text."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.ai.prompts import PromptRef
from schemas.commands import Command
from schemas.document_references import references_in, with_references
from schemas.documents import DocumentRef
from schemas.search import IndexDocument

STORED = {"id": "contracts/2026/0117", "version": 3}
REF = DocumentRef(id="contracts/2026/0117", version=3)
COMPARED = {"analyses": ["comparison"], "document": STORED}


@pytest.mark.parametrize("command", [ProcessDocument, AnalyzeContent, IndexDocument])
def test_a_reference_is_all_that_a_command_needs_and_comes_back_from_its_row(command: type[Command]) -> None:
    given = command.model_validate({"document": STORED})

    assert references_in(given) == {("document",): REF}
    assert command.model_validate_json(given.model_dump_json()) == given


def test_a_prompts_inputs_are_references_each_at_its_place() -> None:
    other = DocumentRef(id="price-list")
    given = GenerateDocument(title="Offer", prompt=PromptRef(name="offer"), inputs=(REF, other))

    found = references_in(given)

    assert found == {("inputs", 0): REF, ("inputs", 1): other}
    pinned = DocumentRef(id="price-list", version=3)
    assert with_references(given, found | {("inputs", 1): pinned}).inputs == (REF, pinned)


def test_both_sides_of_a_comparison_may_be_stored() -> None:
    given = AnalyzeContent.model_validate({**COMPARED, "reference_document": {"id": "house-standard"}})

    assert references_in(given) == {
        ("document",): REF,
        ("reference_document",): DocumentRef(id="house-standard"),
    }


@pytest.mark.parametrize(
    ("command", "fields", "flawed"),
    [
        (ProcessDocument, {"title": "T", "text": "words", "document": STORED}, {"text"}),
        (ProcessDocument, {"document": STORED, "document_id": "mine"}, {"document_id"}),
        (ProcessDocument, {}, {"title", "text"}),
        (ProcessDocument, {"document": {"id": ""}}, {"document.id"}),
        (ProcessDocument, {"document": {"id": "a", "version": 0}}, {"document.version"}),
        (ProcessDocument, {"document": {"id": "a", "text": "words"}}, {"document.text"}),
        (AnalyzeContent, {}, {"text"}),
        (AnalyzeContent, {"text": "words", "document": STORED}, {"text"}),
        (AnalyzeContent, {**COMPARED}, {""}),
        (AnalyzeContent, {**COMPARED, "reference": "words", "reference_document": STORED}, {""}),
        (AnalyzeContent, {"document": STORED, "reference_document": STORED}, {""}),
        (IndexDocument, {"document_id": "a", "title": "T", "text": "words"}, {"document_type"}),
        (IndexDocument, {"document": STORED, "title": "T", "tags": ["x"]}, {"title", "tags"}),
    ],
)
def test_a_text_and_a_document_or_neither_is_refused_at_the_field(
    command: type[Command], fields: dict[str, Any], flawed: set[str]
) -> None:
    with pytest.raises(ValidationError) as refused:
        command.model_validate(fields)

    assert {".".join(map(str, error["loc"])) for error in refused.value.errors()} == flawed


@pytest.mark.parametrize(
    ("command", "version", "fields"),
    [
        (ProcessDocument, 1, {"title": "T", "text": "words"}),
        (AnalyzeContent, 1, {"text": "words", "reference": None}),
        (IndexDocument, 2, {"document_id": "a", "title": "T", "text": "words", "document_type": "x"}),
    ],
)
def test_what_was_stored_before_there_were_documents_is_still_read(
    command: type[Command], version: int, fields: dict[str, Any]
) -> None:
    assert version < command.version

    assert references_in(command.model_validate(command.upcast(version, fields))) == {}
