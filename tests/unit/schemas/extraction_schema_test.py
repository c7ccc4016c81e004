"""Which schemas may say what to extract, and what is said of the others."""

from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.ai import ProcessDocument

LEASE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "landlord": {"$ref": "#/$defs/party"},
        "tenant": {"$ref": "#/$defs/party"},
        "rent": {"type": "number", "minimum": 0},
        "start": {"type": ["string", "null"], "format": "date"},
        "kind": {"enum": ["lease", "sublease"]},
        "notes": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    },
    "required": ["landlord"],
    "$defs": {"party": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}


def command(schema: dict[str, Any]) -> ProcessDocument:
    return ProcessDocument.model_validate({"title": "Lease", "text": "The rent is due.", "json_schema": schema})


def with_rent(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"rent": schema}}


def doubling(depth: int, copies: int) -> dict[str, Any]:
    """Each definition has the next one so many times: their number to the power of the depth in all."""
    names = [f"d{number}" for number in range(depth)]
    definitions: dict[str, Any] = {
        name: {"anyOf": [{"$ref": f"#/$defs/{following}"}] * copies} for name, following in pairwise(names)
    }
    return {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**definitions, names[-1]: {}}}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def test_a_usual_schema_is_taken_as_it_is() -> None:
    assert command(LEASE).json_schema == LEASE


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"properties": {}}, "/type"),
        ({"type": "array"}, "/type"),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        (with_rent({"not": {}}), "/properties/rent/not"),
        (with_rent({"$ref": "https://example.com/rent.json"}), "/properties/rent/$ref"),
        (with_rent({"$ref": "#"}), "/properties/rent/$ref"),
        (with_rent({"$ref": "#/$defs/missing"}), "/properties/rent/$ref"),
        (with_rent({"patternProperties": {}}), "patternProperties"),
        (with_rent({"$defs": {}}), "/properties/rent/$defs"),
        (with_rent({"pattern": "a" * 501}), "/properties/rent/pattern"),
        (with_rent(5), "/properties/rent"),
        ({**LEASE, "$defs": {"party": {"properties": {"p": {"$ref": "#/$defs/party"}}}}}, "contain itself"),
        (doubling(5, 6), "500 parts"),
        (nested(14), "levels"),
        (with_rent({"description": "x" * 50_001}), "50,000 characters"),
    ],
)
def test_what_can_t_be_used_is_refused_at_the_field_and_named_with_its_place(schema: Any, named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        command(schema)

    (error,) = refused.value.errors()
    assert error["loc"] == ("json_schema",)
    assert named in error["msg"]
