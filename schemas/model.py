"""The base of everything that crosses a wire."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, model_validator


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


def _null_free(value: JsonValue) -> JsonValue:
    unread: list[JsonValue] = [value]
    while unread:
        item = unread.pop()
        if isinstance(item, dict):
            unread.extend(item)
            unread.extend(item.values())
        elif isinstance(item, list):
            unread.extend(item)
        elif isinstance(item, str) and "\x00" in item:
            raise ValueError("the value has a null character (U+0000); remove it")
    return value


FreeJson = Annotated[JsonValue, AfterValidator(_null_free)]
"""JSON whose shape is the caller's own, such as the input of a workflow."""
