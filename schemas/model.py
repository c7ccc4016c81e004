"""The base of everything that crosses a wire."""

from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetPydanticSchema,
    JsonValue,
    TypeAdapter,
    model_validator,
)
from pydantic_core import core_schema, to_json

from schemas.bounds import MAX_FREE_LEVELS, too_deep

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_AS_IT_IS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS


class Model(BaseModel):
    """A frozen value that refuses fields it doesn't know, so that a typo is a problem and never a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_null_characters(cls, value: Any) -> Any:
        if isinstance(value, dict):
            _check_null_characters(value)
        return value


def _check_null_characters(fields: dict[Any, Any]) -> None:
    # PostgreSQL stores no U+0000 in text or jsonb: it is refused here, where the reader still learns which field has it.
    for name, field in fields.items():
        if isinstance(field, str) and "\x00" in field:
            raise ValueError(f"{name} has a null character (U+0000); remove it")


def _kept(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        _check_tree(value)
    elif not isinstance(value, int | float | None):
        raise ValueError("the value isn't JSON")
    return value


def _check_tree(tree: JsonValue) -> None:
    # Written out and looked at as text, which C does: a walk in Python takes a hundred times as long.
    text = _written(tree)
    if too_deep(text, MAX_FREE_LEVELS):
        raise ValueError(f"the value has more than {MAX_FREE_LEVELS} levels of objects and arrays")
    if b"\\u0000" in text:
        _check_texts(tree)


def _written(tree: JsonValue) -> bytes:
    try:
        return orjson.dumps(tree, option=_AS_IT_IS)
    except TypeError:
        pass
    # It has numbers beyond 64 bits, or is no JSON at all.
    try:
        return to_json(_JSON.validate_python(tree))
    except ValueError:
        raise ValueError(f"the value isn't JSON, or has more than {MAX_FREE_LEVELS} levels") from None


def _check_texts(tree: JsonValue) -> None:
    unread: list[JsonValue] = [tree]
    while unread:
        item = unread.pop()
        if isinstance(item, dict):
            unread.extend(item)
            unread.extend(item.values())
        elif isinstance(item, list):
            unread.extend(item)
        elif isinstance(item, str):
            _check_text(item)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ValueError("the value has a null character (U+0000); remove it")


_AS_GIVEN = GetPydanticSchema(lambda _type, _handler: core_schema.any_schema())
"""JsonValue's own schema calls a function for each value."""
FreeJson = Annotated[JsonValue, _AS_GIVEN, AfterValidator(_kept)]
"""JSON whose shape is the caller's own, such as the input of a workflow."""
