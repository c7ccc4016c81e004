"""Workflows hand stored documents on to their tasks."""

from typing import Any

import pytest

from schemas.workflow import Definition
from schemas.workflow_tasks import reads_documents, stores_documents, task_problem


def _definition(kind: str, parameters: dict[str, Any] | None) -> Definition:
    task = {"Type": "Task", "Resource": f"urn:bucatini:job:{kind}", "End": True}
    fields = {} if parameters is None else {"Parameters": parameters}
    return Definition.model_validate({"StartAt": "Do", "States": {"Do": {**task, **fields}}})


@pytest.mark.parametrize("kind", ["ai.process_document", "ai.analyze_content", "search.index_document"])
def test_a_path_to_a_document_stands_for_the_text(kind: str) -> None:
    definition = _definition(kind, {"document.$": "$.document"})

    assert task_problem(definition) is None
    assert reads_documents(definition)


def test_a_task_without_text_and_document_is_refused_at_the_missing_fields() -> None:
    problem = task_problem(_definition("ai.process_document", {"language": "en"}))

    assert problem is not None
    assert [error.pointer for error in problem.errors] == [
        "/definition/States/Do/Parameters/title",
        "/definition/States/Do/Parameters/text",
    ]


@pytest.mark.parametrize(
    ("kind", "parameters", "reads"),
    [
        ("ai.process_document", {"title": "T", "text.$": "$.text"}, False),
        ("ai.process_document", None, True),
        ("ai.analyze_content", {"text": "words", "reference_document.$": "$.other"}, True),
        ("keys.rotate", None, False),
    ],
)
def test_a_workflow_that_may_read_documents_is_known(kind: str, parameters: dict[str, Any] | None, reads: bool) -> None:
    assert reads_documents(_definition(kind, parameters)) is reads


@pytest.mark.parametrize(
    ("kind", "parameters", "stores"),
    [
        ("ai.generate_document", {"title": "T", "template": "status_report"}, False),
        ("ai.generate_document", {"title": "T", "template": "status_report", "store": {"id": "reports/1"}}, True),
        ("ai.generate_document", {"title": "T", "template": "status_report", "store.$": "$.store"}, True),
        ("ai.generate_document", None, True),
        ("ai.process_document", None, False),
    ],
)
def test_a_workflow_that_may_store_documents_is_known(
    kind: str, parameters: dict[str, Any] | None, stores: bool
) -> None:
    assert stores_documents(_definition(kind, parameters)) is stores
