"""Generates the OpenAPI 3.1 document from the endpoint declarations."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.documentation.examples.catalogue import answer_of, request_of
from api.documentation.examples.problems import problem_of
from api.documentation.examples.streams import media_of
from api.endpoint import AnyEndpoint
from api.http.json_body import takes_nothing
from api.http.responses import Media, NoBody
from schemas.model import Model
from schemas.problems import Problem

_BEARER = (
    "An API key (`bct_…`), whose tenant is yours; a read token (`bctr_…`) where one job is read or followed; or a JWT of "
    "the OpenID Connect provider that this ingress trusts, if it trusts one."
)
REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"{(\w+)}")

_HEADERS: dict[str, dict[str, Any]] = {
    "idempotency-key": {
        "name": "Idempotency-Key",
        "description": "The same key with the same body gives the same job; with another body it is refused.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
    },
    "prefer": {
        "name": "Prefer",
        "description": "`wait=N` (RFC 7240): answer when the job has ended, or after N seconds (60 at most).",
        "schema": {"type": "string", "examples": ["wait=1"]},
    },
    "if-none-match": {
        "name": "If-None-Match",
        "description": "The ETag of the job as you know it; 304 when it is still that.",
        "schema": {"type": "string"},
    },
    "last-event-id": {
        "name": "Last-Event-ID",
        "description": "The id of the last event you have, after which the stream goes on; 0 for the first that is kept.",
        "schema": {"type": "string"},
    },
}
_EVERYWHERE = [
    {
        "name": "X-Correlation-ID",
        "in": "header",
        "description": "A UUID of yours that finds this request in logs; generated if it isn't a UUID. Returned.",
        "schema": {"type": "string", "examples": ["0f8fad5b-d9cb-469f-a165-70867728950e"]},
    },
    {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context; a new trace begins if it can't be read. Returned.",
        "schema": {"type": "string"},
    },
]
_PROBLEMS = {
    400: "The request can't be read.",
    401: "The key is missing, wrong or revoked.",
    403: "The key lacks a scope; the problem names it.",
    404: "It doesn't exist, or it belongs to another tenant.",
    408: "The body didn't arrive in time.",
    409: "The current state doesn't allow it.",
    413: "The body is too large.",
    415: "The body isn't JSON.",
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


Schemas = Mapping[Any, dict[str, Any]]
"""By (model, mode)."""


def _models(endpoints: Sequence[AnyEndpoint]) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    found: set[tuple[type[BaseModel], JsonSchemaMode]] = {(Problem, "serialization")}
    for endpoint in endpoints:
        if endpoint.body is not None:
            found.add((endpoint.body, "validation"))
        if endpoint.query is not None:
            found.add((endpoint.query, "validation"))
        for answer in endpoint.answers.values():
            if isinstance(answer, type):
                found.add((answer, "serialization"))
    yield from found


def _operation(endpoint: AnyEndpoint, path: str, schemas: Schemas) -> dict[str, Any]:
    capability = path.split("/")[2] if path.startswith("/api/") else "operators"
    operation: dict[str, Any] = {
        "tags": [capability],
        "operationId": _operation_id(endpoint, path),
        "summary": endpoint.summary,
        "parameters": [*_parameters(endpoint, path), *_EVERYWHERE],
        "responses": {**_answers(endpoint, path, schemas), **_problem_answers(endpoint, path)},
        "security": [] if endpoint.scope is None else [{"key": []}],
    }
    needs = "" if endpoint.scope is None else f"Needs the scope `{endpoint.scope}`."
    if text := "\n\n".join(part for part in (endpoint.description, needs) if part):
        operation["description"] = text
    if endpoint.body is not None:
        content = {"application/json": _media(schemas[endpoint.body, "validation"], request_of(endpoint.body))}
        operation["requestBody"] = {"required": not takes_nothing(endpoint.body), "content": content}
    return operation


def _operation_id(endpoint: AnyEndpoint, path: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", path.removeprefix("/api"))
    return "_".join([endpoint.method.lower(), *words]) if words else f"{endpoint.method.lower()}_root"


def _parameters(endpoint: AnyEndpoint, path: str) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if endpoint.query is not None:
        yield from _query_parameters(endpoint.query)
    for header in endpoint.headers:
        yield {"in": "header", **_HEADERS[header]}


def _query_parameters(query: type[Model]) -> Iterator[dict[str, Any]]:
    """The query's fields as parameters. Null is dropped from their schemas: an absent parameter is simply left out."""
    schema = query.model_json_schema(ref_template=REF)
    inner = schema.get("$defs", {})
    for name, field in schema.get("properties", {}).items():
        shape = {key: value for key, value in field.items() if key not in ("description", "title", "default", "anyOf")}
        shape |= next((one for one in field.get("anyOf", ()) if one != {"type": "null"}), {})
        if "$ref" in shape:
            shape = inner[shape["$ref"].rsplit("/", 1)[-1]]
        if field.get("default") is not None:
            shape = {**shape, "default": _plain(field["default"])}
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": shape}
        if "description" in field:
            parameter["description"] = field["description"]
        yield parameter


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _answers(endpoint: AnyEndpoint, path: str, schemas: Schemas) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, answer in endpoint.answers.items():
        described: dict[str, Any] = {"description": _ANSWERS.get(status, "OK.")}
        match answer:
            case NoBody():
                pass
            case Media(kind, description):
                example = media_of(path)
                shown = {} if example is None else {"example": example}
                described = {"description": description or described["description"], "content": {kind: shown}}
            case model:
                example = answer_of(endpoint, status, model)
                described["content"] = {"application/json": _media(schemas[model, "serialization"], example)}
        answers[str(status)] = described
    if "if-none-match" in endpoint.headers:
        answers["304"] = {"description": _ANSWERS[304]}
    return answers


def _media(schema: dict[str, Any], example: Any | None) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


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
        return {Problem.media_type: _media(schema, example)}

    return {
        str(status): {"description": _PROBLEMS[status], **_headers(status), "content": content(status)}
        for status in sorted(statuses)
        if status not in endpoint.answers
    }


def _headers(status: int) -> dict[str, Any]:
    return {"headers": _RATES} if status == 429 else {}
