"""Does a value meet a schema? JSON Schema 2020-12, whatever schema and value are from.

References lead nowhere outside of the schema, and patterns are matched in linear time (the `regex` crate's; no looking
around, no back references), so a schema from anybody can be used as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from orjson import dumps, loads

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

Path = tuple[str | int, ...]
MAX_ERRORS = 50
PATTERN_BYTES = 200_000
"""Of one compiled pattern."""
MESSAGE_CHARACTERS = 300


class Rule(StrEnum):
    """Those that are treated apart."""

    REQUIRED = "required"
    ADDITIONAL = "additionalProperties"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One rule of a schema that a value breaks."""

    path: Path
    """To the part of the value."""
    rule: str
    """The schema's keyword."""
    message: str = field(repr=False)
    """Quotes the value."""
    names: frozenset[str] = frozenset()
    """The properties that are missing or unexpected, or the types that it may have."""


UNUSABLE_PATTERN = (
    "the pattern is none, or can't be matched in linear time and little memory: leave out back references, look-arounds and "
    "large repeats"
)


class SchemaUnusable(ValueError):
    """It is no JSON schema, or one that can't be used here; `path` leads to the part at fault."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def check_schema(schema: Mapping[str, Any]) -> None:
    """SchemaUnusable when it is none."""
    _validator(dumps(schema))


def errors_of(schema: Mapping[str, Any], value: Any) -> tuple[SchemaError, ...]:
    """What the value breaks, the first 50; none when it meets the schema. SchemaUnusable as above."""
    found = islice(_validator(dumps(schema)).iter_errors(value), MAX_ERRORS)
    return tuple(
        SchemaError(tuple(error.instance_path), error.kind.name, error.message[:MESSAGE_CHARACTERS], _names(error.kind))
        for error in found
    )


def _names(kind: Any) -> frozenset[str]:
    match kind.name:
        case Rule.REQUIRED:
            return frozenset({kind.property})
        case Rule.ADDITIONAL:
            return frozenset(kind.unexpected)
        case Rule.TYPE:
            return frozenset(kind.types)
        case _:
            return frozenset()


@lru_cache(maxsize=32)
def _validator(schema: bytes) -> "Draft202012Validator":
    # Imported where a schema is first used: a worker starts without it.
    from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

    try:
        return Draft202012Validator(
            loads(schema),
            validate_formats=True,
            offline=True,
            pattern_options=RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=10 * PATTERN_BYTES),
        )
    except ValidationError as error:
        path = tuple(error.instance_path)
        said = UNUSABLE_PATTERN if path[-1:] == ("pattern",) else error.message[:MESSAGE_CHARACTERS]
        raise SchemaUnusable(said, path) from None
