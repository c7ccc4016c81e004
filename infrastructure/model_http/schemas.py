"""A JSON schema for the answer: enforced by the provider where its model can, else asked for in words."""

import json
from collections.abc import Mapping
from typing import Any

from infrastructure.model_registry.registry import ModelSpec, Parameter
from infrastructure.ports.ai.request import ModelRequest, Passage

MAX_DEPTH = 50


def system_of(request: ModelRequest, spec: ModelSpec) -> tuple[Passage, ...]:
    """The system passages, and the schema after them when the model can't be held to one."""
    if request.schema is None or spec.takes(Parameter.SCHEMA):
        return request.system
    return (*request.system, Passage(in_words(request.schema)))


def in_words(schema: Mapping[str, Any]) -> str:
    return f"Answer with one JSON value that meets this JSON schema, and nothing else:\n{json.dumps(schema)}"


def can_be_strict(schema: Any, depth: int = 0) -> bool:
    """OpenAI enforces a schema only if no object in it may have other properties and all of its properties are required;
    it refuses to be strict about any other."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(schema, list):
        return all(can_be_strict(one, depth + 1) for one in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(properties):
            return False
    return all(can_be_strict(one, depth + 1) for one in schema.values())
