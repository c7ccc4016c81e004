"""Validation of the AI commands."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command

DOCUMENT = {"title": "Lease", "text": "The rent is due."}
SECTIONS = [{"heading": "Rent", "text": "Due on {{ day }}."}]


@pytest.mark.parametrize("command", [ProcessDocument, GenerateDocument, AnalyzeContent])
def test_every_ai_command_goes_to_the_ai_queue_and_explains_each_of_its_fields(command: type[Command]) -> None:
    schema = command.model_json_schema()

    assert command.queue == "ai"
    assert schema["description"]
    undescribed = {name for name, field in schema["properties"].items() if "description" not in field}
    assert undescribed <= {"title"}


def test_a_document_is_accepted_with_its_title_and_text_alone() -> None:
    command = ProcessDocument.model_validate(DOCUMENT)

    assert (command.kind, command.language, command.document_id) == ("ai.process_document", None, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n\t"}, "text"),
        ({"text": "x" * 200_001}, "text"),
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"language": "german"}, "language"),
        ({"language": "DE"}, "language"),
        ({"document_type": "Contract of sale"}, "document_type"),
        ({"document_id": ""}, "document_id"),
        ({"tone": "kind"}, "tone"),
        ({"text": "a\x00b"}, ""),
        ({"text": "a\ud800b"}, "text"),
    ],
)
def test_a_document_that_can_t_be_processed_is_refused_at_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ProcessDocument.model_validate(DOCUMENT | change)

    assert "/".join(map(str, refused.value.errors()[0]["loc"])) == field


def test_a_document_of_exactly_the_limit_is_accepted() -> None:
    assert ProcessDocument.model_validate(DOCUMENT | {"text": "x" * 200_000}).text == "x" * 200_000


@pytest.mark.parametrize(
    "change",
    [
        {"sections": None},
        {"template": "mutual_nda"},
        {"sections": []},
        {"sections": SECTIONS * 51},
        {"sections": [{"heading": "Rent", "text": ""}]},
        {"sections": [{"heading": "Rent", "text": "x" * 20_001}]},
        {"facts": {"Day": 1}},
        {"facts": {"tone": "kind"}},
        {"facts": {"day": 10**16}},
        {"facts": {"day": "x" * 200_001}},
        {"facts": {"days": list(range(6_000))}},
        {"facts": {f"day_{number}": number for number in range(201)}},
        {"facts": {"day": {"a": "\x00"}}},
        {"language": "fr"},
        {"tone": "funny"},
    ],
)
def test_a_document_that_can_t_be_generated_is_refused(change: dict[str, Any]) -> None:
    assert GenerateDocument.model_validate({"title": "Lease", "sections": SECTIONS}).sections is not None
    with pytest.raises(ValidationError):
        GenerateDocument.model_validate({"title": "Lease", "sections": SECTIONS} | change)


@pytest.mark.parametrize(
    "change",
    [
        {"analyses": []},
        {"analyses": ["readability", "readability"]},
        {"analyses": ["mood"]},
        {"analyses": ["comparison"]},
        {"reference": "The rent was due."},
    ],
)
def test_an_analysis_that_can_t_be_made_is_refused(change: dict[str, Any]) -> None:
    assert len(AnalyzeContent.model_validate({"text": "The rent is due."}).analyses) == 3
    with pytest.raises(ValidationError):
        AnalyzeContent.model_validate({"text": "The rent is due."} | change)
