"""The base of everything that crosses a wire."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, model_validator
from pydantic_core import to_json

from schemas.bounds import MAX_FREE_LEVELS, too_deep


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
    return value


def _check_tree(tree: JsonValue) -> None:
    # Written out and looked at as text, which C does: a walk in Python takes a hundred times as long.
    try:
        text = to_json(tree)
    except ValueError:
        raise ValueError(f"the value can't be written, or has more than {MAX_FREE_LEVELS} levels") from None
    if too_deep(text, MAX_FREE_LEVELS):
        raise ValueError(f"the value has more than {MAX_FREE_LEVELS} levels of objects and arrays")
    if b"\\u0000" in text:
        _check_texts(tree)


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


FreeJson = Annotated[JsonValue, AfterValidator(_kept)]
"""JSON whose shape is the caller's own, such as the input of a workflow."""
