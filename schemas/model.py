"""The base class of all wire models."""

from typing import Annotated, Any, ClassVar, get_args, get_origin

from annotated_types import MaxLen
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    GetPydanticSchema,
    JsonValue,
    TypeAdapter,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import core_schema, to_json

from schemas.attribute_docs import attribute_docs
from schemas.bounds import MAX_FREE_LEVELS, too_deep
from schemas.server_checks import json_as_it_is

MAX_REPORTED = 100
"""The most invalid items that are reported one by one."""

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class Model(BaseModel):
    """A frozen model that rejects unknown fields, so that a typo is an error and never a silent default."""

    # Built when it is first used: no process uses more than a few of the hundreds that it imports.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    _max_items: ClassVar[dict[str, int]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        fields = cls.model_fields.items()
        cls._max_items = {
            field.alias or name: limit for name, field in fields if (limit := _max_length(field)) is not None
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        """The schema, with the text below each attribute as its description."""
        described = handler(schema)
        properties = handler.resolve_ref_schema(described).get("properties", {})
        docs = attribute_docs(cls)
        for name, field in cls.model_fields.items():
            for key in (name, field.alias):
                if key in properties and name in docs:
                    properties[key].setdefault("description", docs[name])
        return described

    @model_validator(mode="before")
    @classmethod
    def _check_size(cls, value: Any) -> Any:
        if isinstance(value, dict):
            _check_fields(value, len(cls.model_fields), cls._max_items)
        return value


def _check_fields(given: dict[Any, Any], known: int, max_items: dict[str, int]) -> None:
    # Rejected as a whole when far too large: validation would make an error of each of tens of thousands of items.
    if len(given) > known + MAX_REPORTED:
        raise ValueError(f"has {len(given):,} fields, and {known} are known")
    for name, field in given.items():
        # PostgreSQL can't store U+0000 in text or jsonb. Rejected here, where the error can name the field.
        if isinstance(field, str):
            if "\x00" in field:
                raise ValueError(f"{name} has a null character (U+0000); remove it")
        elif isinstance(field, dict | list) and len(field) > max_items.get(name, len(field)) + MAX_REPORTED:
            raise ValueError(f"{name} has {len(field):,} items; at most {max_items[name]:,} are taken")


def _max_length(field: FieldInfo) -> int | None:
    """The field's max_length; None if it declares none."""
    declared = [*field.metadata]
    for inner in get_args(field.annotation):
        if get_origin(inner) is Annotated:
            declared += [one for part in get_args(inner)[1:] for one in getattr(part, "metadata", [part])]
    return next((one.max_length for one in declared if isinstance(one, MaxLen)), None)


def _kept(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        _check_tree(value)
    elif not isinstance(value, int | float | None):
        raise ValueError("the value isn't JSON")
    return value


def _check_tree(tree: JsonValue) -> None:
    # Serialized and checked as text, in C: walking the tree in Python would be far slower.
    text = _written(tree)
    if too_deep(text, MAX_FREE_LEVELS):
        raise ValueError(f"the value has more than {MAX_FREE_LEVELS} levels of objects and arrays")
    if b"\\u0000" in text:
        _check_texts(tree)


def _written(tree: JsonValue) -> bytes:
    if (text := json_as_it_is(tree)) is not None:
        return text
    # It has integers beyond 64 bits, isn't JSON, or there is no orjson.
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
"""Skips JsonValue's own schema, which calls a function for each value."""
FreeJson = Annotated[JsonValue, _AS_GIVEN, AfterValidator(_kept)]
"""Free-form JSON, whose shape the client chooses, such as a workflow's input."""
