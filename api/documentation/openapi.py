"""Generates the OpenAPI 3.1 document from the endpoint declarations."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.documentation.bodies import REF, Schemas, body_of, media_with
from api.documentation.examples.catalogue import answer_of
from api.documentation.examples.problems import problem_of
from api.documentation.examples.streams import media_of
from api.documentation.parameters import EVERYWHERE, parameters_of
from api.endpoint import AnyEndpoint
from api.http.responses import Either, Media, NoBody
from schemas.problems import Problem

_BEARER = (
    "An API key (`bct_…`), whose tenant is yours; a read token (`bctr_…`) where one job is read or followed; or a JWT of "
    "the OpenID Connect provider that this ingress trusts, if it trusts one."
)
_PROBLEMS = {
    400: "The request can't be read.",
    401: "The key is missing, wrong or revoked.",
    403: "The key lacks a scope; the problem names it.",
    404: "It doesn't exist, or it belongs to another tenant.",
    408: "The body didn't arrive in time.",
    409: "The current state doesn't allow it.",
    412: "The document isn't what the request says it must be.",
    413: "The body is too large.",
    415: "The body's media type isn't taken.",
    416: "The range lies beyond the content.",
    422: "Some fields can't be accepted; the problem names each.",
    429: "The tenant or the key has made too many requests. Retry-After says when to try again.",
    500: "Something went wrong here.",
    503: "A server that this needs is unavailable, or the service is overloaded. Retry-After says when to try again.",
    504: "It took too long.",
}
_RATES: dict[str, Any] = {
    "Retry-After": {"description": "Seconds until one more request is taken.", "schema": {"type": "string"}},
    "RateLimit-Policy": {
        "description": "The limits (draft-ietf-httpapi-ratelimit-headers). Like the next, on every answer to a caller.",
        "schema": {"type": "string", "examples": ['"tenant";q=600000;w=60, "key";q=300000;w=60']},
    },
    "RateLimit": {
        "description": "What is left of the tightest, and for how long. RateLimit-Limit, -Remaining and -Reset say the "
        "same for older readers.",
        "schema": {"type": "string", "examples": ['"key";r=299999;t=42']},
    },
}
_ANSWERS = {
    200: "OK.",
    201: "Created.",
    202: "Accepted: the job is stored.",
    204: "Done.",
    304: "Nothing has changed.",
}


def document(endpoints: Sequence[AnyEndpoint], version: str) -> dict[str, Any]:
    """The whole document, as a JSON-serializable dict."""
    listed = [endpoint for endpoint in endpoints if endpoint.listed]
    schemas, definitions = models_json_schema(sorted(_models(listed), key=str), ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in listed:
        for path in (endpoint.path, *endpoint.aliases):
            operation = _operation(endpoint, path, schemas)
            paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bucatini",
            "version": version,
            "description": "Jobs for documents: submit a command, follow its events, fetch its result.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _BEARER}},
        },
    }


def _models(endpoints: Sequence[AnyEndpoint]) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    found: set[tuple[type[BaseModel], JsonSchemaMode]] = {(Problem, "serialization")}
    for endpoint in endpoints:
        if endpoint.body is not None:
            found.add((endpoint.body, "validation"))
        if endpoint.uploads is not None:
            found.add((endpoint.uploads.form, "validation"))
        if endpoint.query is not None:
            found.add((endpoint.query, "validation"))
        for answer in endpoint.answers.values():
            if isinstance(answer, Either):
                found.add((answer.model, "serialization"))
            elif isinstance(answer, type):
                found.add((answer, "serialization"))
    yield from found


def _operation(endpoint: AnyEndpoint, path: str, schemas: Schemas) -> dict[str, Any]:
    capability = path.split("/")[2] if path.startswith("/api/") else "operators"
    operation: dict[str, Any] = {
        "tags": [capability],
        "operationId": _operation_id(endpoint, path),
        "summary": endpoint.summary,
        "parameters": [*parameters_of(endpoint, path), *EVERYWHERE],
        "responses": {**_answers(endpoint, path, schemas), **_problem_answers(endpoint, path)},
        "security": [] if endpoint.scope is None else [{"key": []}],
    }
    needs = "" if endpoint.scope is None else f"Needs the scope `{endpoint.scope}`."
    if text := "\n\n".join(part for part in (endpoint.description, needs) if part):
        operation["description"] = text
    if endpoint.body is not None:
        operation["requestBody"] = body_of(endpoint, endpoint.body, schemas)
    return operation


def _operation_id(endpoint: AnyEndpoint, path: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", path.removeprefix("/api"))
    return "_".join([endpoint.method.lower(), *words]) if words else f"{endpoint.method.lower()}_root"


def _answers(endpoint: AnyEndpoint, path: str, schemas: Schemas) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, answer in endpoint.answers.items():
        described: dict[str, Any] = {"description": _ANSWERS.get(status, "OK.")}
        match answer:
            case NoBody():
                pass
            case Media(kind, description):
                described = {"description": description or described["description"], "content": {kind: _shown(path)}}
            case Either(model, media):
                described["content"] = {**_json(endpoint, status, model, schemas), media.type: _shown(path)}
            case model:
                described["content"] = _json(endpoint, status, model, schemas)
        answers[str(status)] = described
    if "if-none-match" in endpoint.headers:
        answers["304"] = {"description": _ANSWERS[304]}
    return answers


def _shown(path: str) -> dict[str, Any]:
    example = media_of(path)
    return {} if example is None else {"example": example}


def _json(endpoint: AnyEndpoint, status: int, model: type[BaseModel], schemas: Schemas) -> dict[str, Any]:
    return {"application/json": media_with(schemas[model, "serialization"], answer_of(endpoint, status, model))}


def _problem_answers(endpoint: AnyEndpoint, path: str) -> dict[str, Any]:
    statuses = {500, 503, 504, *endpoint.problems}
    if endpoint.scope is not None:
        statuses |= {401, 403, 429}
    if endpoint.body is not None:
        statuses |= {400, 408, 413, 415, 422}
    if endpoint.headers or endpoint.query is not None:
        statuses |= {400, 422}
    schema = {"$ref": REF.format(model=Problem.__name__)}

    def content(status: int) -> dict[str, Any]:
        example = problem_of(endpoint, path, status).model_dump(mode="json", exclude_defaults=True)
        return {Problem.media_type: media_with(schema, example)}

    return {
        str(status): {"description": _PROBLEMS[status], **_headers(status), "content": content(status)}
        for status in sorted(statuses)
        if status not in endpoint.answers
    }


def _headers(status: int) -> dict[str, Any]:
    return {"headers": _RATES} if status == 429 else {}
