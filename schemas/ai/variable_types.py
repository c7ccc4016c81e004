"""The types that a prompt's variables may have."""

from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from schemas.model import FreeJson

MAX_DIGITS = 30


class VariableType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    """As JSON, or as a text where no digit may be lost: "1250.00"."""
    BOOLEAN = "boolean"
    DATE = "date"
    """ISO 8601: "2026-03-14"."""
    LIST = "list"
    OBJECT = "object"


_EXPECTED = {
    VariableType.TEXT: "must be a text",
    VariableType.NUMBER: 'must be a number, such as 12 or "1250.00"',
    VariableType.BOOLEAN: "must be true or false",
    VariableType.DATE: 'must be an ISO 8601 date, such as "2026-03-14"',
    VariableType.LIST: "must be a list",
    VariableType.OBJECT: "must be an object",
}


def flaw_of(value: FreeJson, expected: VariableType) -> str | None:
    """Why the value isn't of this type, as the end of a sentence; None if it is."""
    return None if _is_of(value, expected) else _EXPECTED[expected]


def _is_of(value: FreeJson, expected: VariableType) -> bool:
    match expected:
        case VariableType.TEXT:
            return isinstance(value, str)
        case VariableType.NUMBER:
            return _is_number(value)
        case VariableType.BOOLEAN:
            return isinstance(value, bool)
        case VariableType.DATE:
            return isinstance(value, str) and _is_date(value)
        case VariableType.LIST:
            return isinstance(value, list)
        case VariableType.OBJECT:
            return isinstance(value, dict)


def _is_number(value: FreeJson) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > MAX_DIGITS:
        return False
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
