"""Parameters and request headers as the OpenAPI document describes them."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from api.documentation.bodies import REF
from api.endpoint import AnyEndpoint
from schemas.model import Model

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
        "description": "The ETag that you know; 304 when it is still that.",
        "schema": {"type": "string"},
    },
    "accept": {
        "name": "Accept",
        "description": "`text/csv`, before others, for comma-separated values.",
        "schema": {"type": "string"},
    },
    "if-match": {
        "name": "If-Match",
        "description": "ETags of the document, of which one must be its present one; `*` for any that is there.",
        "schema": {"type": "string", "examples": ['"3-5f1c0d9e2b7a.81c2e6f0a4d3"']},
    },
    "known-if-match": {
        "name": "If-Match",
        "description": "The ETag that you know; nothing is changed when it is another one now.",
        "schema": {"type": "string", "examples": ['"3"']},
    },
    "unless-there": {
        "name": "If-None-Match",
        "description": "`*`: only if there is no such document yet.",
        "schema": {"type": "string", "const": "*"},
    },
    "content-disposition": {
        "name": "Content-Disposition",
        "description": "The name of a file that is the body itself (RFC 6266).",
        "schema": {"type": "string", "examples": ['attachment; filename="lease.pdf"']},
    },
    "content-digest": {
        "name": "Content-Digest",
        "description": "The body's SHA-256 (RFC 9530). Nothing is stored when it is another one.",
        "schema": {"type": "string", "examples": ["sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"]},
    },
    "range": {
        "name": "Range",
        "description": "The bytes to fetch (RFC 9110, section 14).",
        "schema": {"type": "string", "examples": ["bytes=0-1023"]},
    },
    "if-range": {
        "name": "If-Range",
        "description": "The ETag that the range is of; the whole is served when it is another one now.",
        "schema": {"type": "string"},
    },
    "last-event-id": {
        "name": "Last-Event-ID",
        "description": "The id of the last event you have, after which the stream goes on; 0 for the first that is kept.",
        "schema": {"type": "string"},
    },
}
EVERYWHERE = [
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


def parameters_of(endpoint: AnyEndpoint, path: str) -> Iterator[dict[str, Any]]:
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
