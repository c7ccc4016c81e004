"""Endpoint declarations and what is derived from them: routes, the OpenAPI document, the client's paths."""

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from api.app import described, product_version
from api.console import routes
from api.documentation.openapi import document
from api.documentation.pages import ASSETS, pages
from api.endpoint import all_paths
from api.routes.commands import JobOptionsQuery
from events.catalogue import kinds
from schemas.ai import ProcessDocument
from schemas.workflow import RunWorkflowStep

DOCUMENT = document(described(), "1.2.3")


def test_every_address_is_declared_once() -> None:
    paths = all_paths((*described(), *pages(described(), product_version()), *routes.pages(product_version())))

    assert len(paths) == len(set(paths))


def test_every_kind_is_submitted_at_the_address_that_its_command_says() -> None:
    taken = {one.body.kind: one.path for one in described() if one.query is JobOptionsQuery and one.body is not None}

    assert taken == {kind.name: kind.path for kind in kinds()}
    assert taken[ProcessDocument.kind] == "/api/ai/process-document"
    assert taken[RunWorkflowStep.kind] == "/api/workflow/start"


def test_every_kind_of_ours_ends_with_an_event_of_ours() -> None:
    assert {kind.name: [event.type for event in kind.results] for kind in kinds()} == {
        "ai.process_document": ["ai.document_processed"],
        "ai.generate_document": ["ai.document_generated"],
        "ai.analyze_content": ["ai.content_analyzed"],
        "keys.rotate": ["keys.rotated"],
        "search.index_document": ["search.document_indexed"],
        "search.index_documents": ["search.documents_indexed"],
        "search.reindex": ["search.reindexed"],
        "search.roll_back": ["search.rolled_back"],
        "workflow.run_step": ["workflow.completed"],
    }


def test_the_document_has_every_declared_address_and_no_other() -> None:
    in_the_document = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert in_the_document == set(all_paths(described()))


def test_every_reference_in_the_document_leads_somewhere() -> None:
    known = DOCUMENT["components"]["schemas"].keys()
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)))

    assert references
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= known


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in _operations()]

    assert len(ids) == len(set(ids))


def test_every_guarded_operation_names_its_scope_and_its_refusals() -> None:
    guarded = [operation for operation in _operations() if operation["security"]]

    assert len(guarded) == sum(len((one.path, *one.aliases)) for one in described() if one.scope)
    for operation in guarded:
        assert "Needs the scope `" in operation["description"]
        assert {"401", "403", "500", "503"} <= operation["responses"].keys()


def test_query_parameters_have_no_null() -> None:
    for operation in _operations():
        for parameter in operation["parameters"]:
            assert "null" not in json.dumps(parameter["schema"]), parameter
            assert "$ref" not in json.dumps(parameter["schema"]), parameter


def test_a_documents_page_is_made_of_what_the_package_has() -> None:
    folder = files("swagger_ui_bundle") / "vendor" / "swagger-ui-4.15.5"

    assert all((folder / name).is_file() for name in ASSETS)


def test_the_document_is_written_the_same_each_time() -> None:
    assert json.dumps(document(described(), "1.2.3")) == json.dumps(DOCUMENT)


@pytest.mark.parametrize("status", ["200", "202"])
def test_a_command_answers_with_the_job(status: str) -> None:
    responses = DOCUMENT["paths"]["/api/ai/process-document"]["post"]["responses"]

    assert responses[status]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Job"}


def _operations() -> list[dict[str, Any]]:
    return [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
