"""The values that templates are filled with, and which of them are missing."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from schemas.model import FreeJson


def given(values: Mapping[str, FreeJson]) -> dict[str, Any]:
    """Without nulls and blank strings: filled in, they would leave the hole that a missing value does."""
    return {name: _kept(item) for name, item in values.items() if not is_blank(item)}


def is_blank(value: FreeJson) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _kept(item: FreeJson) -> Any:
    match item:
        case dict():
            return given(item)
        case list():
            return [_kept(part) for part in item if not is_blank(part)]
        case _:
            return item


def pointer_to_value(name: str, mentioned: Collection[str]) -> str:
    """Where a missing value belongs: `/client/name` for `client.name`. Nowhere of its own if the template sets the name itself,
    such as a loop's."""
    plain = re.fullmatch(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", name)
    return f"/{name.replace('.', '/')}" if plain and name.partition(".")[0] in mentioned else ""
