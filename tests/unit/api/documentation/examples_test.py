"""The examples in the OpenAPI document: there for everything, and true by the models and by the document's own schemas."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from api.app import described
from api.documentation.examples.catalogue import answer_of, request_of
from api.documentation.openapi import document
from api.endpoint import AnyEndpoint
from api.http.responses import Either, Media
from schemas.problems import PROBLEM_BASE, Problem

DOCUMENT = document(described(), "1.2.3")
PROBLEM = "application/problem+json"
REQUESTS = sorted({one.body for one in described() if one.body is not None}, key=str)
ANSWERS = [
    (one, status, model) for one in described() for status, model in one.answers.items() if isinstance(model, type)
]


@pytest.mark.parametrize("model", REQUESTS, ids=lambda model: str(model.__name__))
def test_every_request_has_an_example_that_is_taken(model: type[BaseModel]) -> None:
    example = request_of(model)

    assert example is not None
    assert model.model_validate(example)


@pytest.mark.parametrize(
    ("endpoint", "status", "model"), ANSWERS, ids=lambda one: getattr(one, "path", getattr(one, "__name__", str(one)))
)
def test_every_answer_has_an_example_that_its_model_reads(
    endpoint: AnyEndpoint, status: int, model: type[BaseModel]
) -> None:
    example = answer_of(endpoint, status, model)

    assert example is not None
    assert model.model_validate(example)


def test_every_example_fits_the_schema_beside_it() -> None:
    for place, media in _media():
        if "schema" in media:
            schema = {**media["schema"], "components": DOCUMENT["components"]}
            flaws = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(media["example"])]
            assert flaws == [], place


def test_every_body_in_the_document_has_an_example() -> None:
    assert [place for place, media in _media() if "example" not in media] == []


def test_every_problem_is_one_that_the_ingress_answers_with() -> None:
    problems = {place: media["example"] for place, media in _media() if place.endswith(PROBLEM)}

    assert problems
    for place, example in problems.items():
        problem = Problem.model_validate(example)
        assert problem.type.startswith(PROBLEM_BASE), place
        assert str(problem.status) in place.split(), place


def test_a_stream_is_shown_as_it_is_sent() -> None:
    shown = DOCUMENT["paths"]["/api/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["example"]

    assert "event: stream.started\n" in shown
    assert '"type":"job.started"' in shown


def test_streams_are_the_only_answers_without_a_schema() -> None:
    without = {place.split()[1] for place, media in _media() if "schema" not in media}

    assert without == {
        path
        for one in described()
        for path in (one.path, *one.aliases)
        if any(isinstance(answer, Media | Either) for answer in one.answers.values())
    }


def _media() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{method} {path} request {kind}", media
            for status, answer in operation["responses"].items():
                for kind, media in answer.get("content", {}).items():
                    yield f"{method} {path} {status} {kind}", media
