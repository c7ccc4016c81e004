"""JSON as models write it: read as it stands, else mended on this machine, before anybody is asked again."""

import json
import math
from collections.abc import Mapping
from typing import Any

from infrastructure.json_schema.validation import Rule, SchemaError, errors_of
from schemas.bounds import MAX_FREE_LEVELS, too_deep

MAX_CHARACTERS = 2_000_000
MAX_MENDED_CHARACTERS = 40_000
"""The mending library may take quadratic time: five seconds for the worst text of this length."""
MAX_ROUNDS = 5
MAX_WHOLE = 2**63 - 1


class Unreadable(ValueError):
    """The text is no JSON, and nothing that can be made into any."""


def read_json(text: str) -> Any:
    """The value in the text: bare, in a fence, among words, cut off or with slips of the pen. Unreadable when it has none."""
    bare = _without_fence(text.strip())
    if len(bare) > MAX_CHARACTERS or too_deep(bare, MAX_FREE_LEVELS):
        raise Unreadable("it is too long or too deep")
    try:
        value = json.loads(bare, parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = _mended(bare)
    return _storable(value)


def _storable(value: Any) -> Any:
    """Without the characters that no store takes. Unreadable when it has a number of which the same is true."""
    match value:
        case str():
            return value.replace("\0", "").encode(errors="replace").decode()
        case dict():
            return {_storable(name): _storable(part) for name, part in value.items()}
        case list():
            return [_storable(part) for part in value]
        case float() if not math.isfinite(value):
            raise Unreadable("it has a number without an end")
        case int() if abs(value) > MAX_WHOLE:
            raise Unreadable("it has a number of more than 64 bits")
        case _:
            return value


def _without_fence(text: str) -> str:
    if text.startswith("```") and text.endswith("```"):
        return text[3:-3].removeprefix("json").strip()
    return text


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _mended(text: str) -> Any:
    if len(text) > MAX_MENDED_CHARACTERS or not ("{" in text or "[" in text):
        raise Unreadable("it is no JSON")
    # Imported where it is first needed, which is seldom.
    from json_repair import loads

    try:
        # Its result goes through JSON once more: a NaN is none.
        value = json.loads(json.dumps(loads(text, skip_json_loads=True), allow_nan=False))
    except (ValueError, RecursionError, TypeError):
        raise Unreadable("it is no JSON") from None
    if value in ("", [], {}):
        raise Unreadable("it is no JSON")
    return value


def mended(schema: Mapping[str, Any], value: Any) -> tuple[Any, tuple[SchemaError, ...]]:
    """The value with what can be put right without asking anybody, and what it still breaks: properties that the schema
    doesn't have are left out, numbers that were written as text are read, and what may be null and is missing is null."""
    errors = errors_of(schema, value)
    for _ in range(MAX_ROUNDS):
        changed = [_put_right(value, error) for error in errors]
        if not any(changed):
            break
        errors = errors_of(schema, value)
    return _filled(schema, value, errors)


def _put_right(value: Any, error: SchemaError) -> bool:
    """Changes the value in place, where this error tells how."""
    match error.rule:
        case Rule.ADDITIONAL:
            return _without_unexpected(value, error)
        case Rule.TYPE:
            return _with_number(value, error)
        case _:
            return False


def _without_unexpected(value: Any, error: SchemaError) -> bool:
    holder = at(value, error.path)
    unexpected = error.names
    if not isinstance(holder, dict) or not unexpected & holder.keys():
        return False
    for name in unexpected & holder.keys():
        del holder[name]
    return True


def _with_number(value: Any, error: SchemaError) -> bool:
    if not error.path:
        return False
    holder, last = at(value, error.path[:-1]), error.path[-1]
    written = at(value, error.path)
    if not isinstance(written, str) or len(written) > 30 or not {"number", "integer"} & error.names:
        return False
    try:
        number = json.loads(written.strip(), parse_constant=_refuse)
    except ValueError:
        return False
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    holder[last] = number
    return True


def _filled(
    schema: Mapping[str, Any], value: Any, errors: tuple[SchemaError, ...]
) -> tuple[Any, tuple[SchemaError, ...]]:
    """With null for what is required and missing, where that leaves fewer errors."""
    missing = [(at(value, error.path), name) for error in errors if error.rule == Rule.REQUIRED for name in error.names]
    for holder, name in missing:
        if isinstance(holder, dict) and name not in holder:
            holder[name] = None
            left = errors_of(schema, value)
            if len(left) < len(errors):
                errors = left
            else:
                del holder[name]
    return value, errors


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """The part that the path leads to; None where it leads nowhere."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
