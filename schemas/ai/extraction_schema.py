"""Which JSON schemas may say what to extract: a part of 2020-12, with limits."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

MAX_CHARACTERS: Final = 50_000
MAX_LEVELS: Final = 12
MAX_SCHEMAS: Final = 500
"""In one schema, each reference counted as what it refers to."""
MAX_PATTERN_CHARACTERS: Final = 500
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXTS = frozenset({"title", "description", "$comment"})
_VALUES = frozenset({"default", "examples", "deprecated", "enum", "const", "format", "type", "required", "pattern"})
_BOUNDS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
)
_LISTS = frozenset({"items", "minItems", "maxItems", "uniqueItems"})
_OBJECTS = frozenset({"properties", "additionalProperties"})
_CHOICES = frozenset({"anyOf", "oneOf", "allOf"})
KEYWORDS: Final = _TEXTS | _VALUES | _BOUNDS | _LISTS | _OBJECTS | _CHOICES | {"$ref", "$defs", "$schema"}
REFERENCE: Final = "#/$defs/"


def check_extraction_schema(schema: Mapping[str, Any]) -> None:
    """ValueError that says what can't be used, and where: a JSON pointer into the schema. Patterns and the types of the
    keywords are left to whoever compiles it."""
    if len(json.dumps(schema)) > MAX_CHARACTERS:
        raise ValueError(f"the schema has more than {MAX_CHARACTERS:,} characters")
    if schema.get("$schema", DIALECT) != DIALECT:
        raise ValueError(f"/$schema: the dialect is {DIALECT}")
    if schema.get("type") != "object":
        raise ValueError('/type: the schema is of an object: "type": "object"')
    _Check(schema).walk()


class _Check:
    """One schema, and how many schemas it may still have."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MAX_SCHEMAS

    def walk(self) -> None:
        definitions = self._root.get("$defs", {})
        if not isinstance(definitions, Mapping):
            raise ValueError("/$defs: an object is expected")
        for name, one in definitions.items():
            self._schema(one, f"/$defs/{_escaped(name)}", (name,))
        self._schema(self._root, "", ())

    def _schema(self, schema: Any, pointer: str, inside: tuple[str, ...], level: int = 0) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"{pointer or '/'}: the schema has more than {MAX_SCHEMAS} parts")
        if level > MAX_LEVELS:
            raise ValueError(f"{pointer}: the schema has more than {MAX_LEVELS} levels")
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            raise ValueError(f"{pointer or '/'}: an object is expected")
        self._keywords(schema, pointer)
        if "$ref" in schema:
            self._reference(schema["$ref"], pointer, inside, level)
        for name, part in _parts(schema):
            self._schema(part, f"{pointer}/{name}", inside, level + 1)

    def _keywords(self, schema: Mapping[str, Any], pointer: str) -> None:
        for keyword in schema.keys() - KEYWORDS:
            raise ValueError(f"{pointer}/{_escaped(keyword)}: this keyword isn't supported")
        if pointer and "$defs" in schema:
            raise ValueError(f"{pointer}/$defs: definitions stand at the top")
        pattern = schema.get("pattern", "")
        if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARACTERS:
            raise ValueError(f"{pointer}/pattern: at most {MAX_PATTERN_CHARACTERS} characters")

    def _reference(self, reference: object, pointer: str, inside: tuple[str, ...], level: int) -> None:
        name = reference.removeprefix(REFERENCE) if isinstance(reference, str) else ""
        if not isinstance(reference, str) or not reference.startswith(REFERENCE) or "/" in name:
            raise ValueError(f"{pointer}/$ref: references lead to {REFERENCE}NAME, in the same schema")
        name = name.replace("~1", "/").replace("~0", "~")
        if name not in self._root.get("$defs", {}):
            raise ValueError(f"{pointer}/$ref: there is no {reference}")
        if name in inside:
            raise ValueError(f"{pointer}/$ref: a schema may not contain itself")
        self._schema(self._root["$defs"][name], pointer, (*inside, name), level + 1)


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas in a schema, each with where it stands; those of $defs are looked at where they are referred to."""
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        raise ValueError("/properties: an object is expected")
    yield from ((f"properties/{_escaped(name)}", one) for name, one in properties.items())
    yield from ((name, schema[name]) for name in ("items", "additionalProperties") if name in schema)
    for name in _CHOICES & schema.keys():
        given = schema[name]
        if not isinstance(given, list):
            raise ValueError(f"/{name}: a list is expected")
        yield from ((f"{name}/{place}", one) for place, one in enumerate(given))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
