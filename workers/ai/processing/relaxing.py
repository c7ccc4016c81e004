"""A schema for a part of a document, which needn't say everything; and what the parts said, put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from infrastructure.json_schema.validation import Path

_OF_THE_WHOLE: Final = frozenset({"required", "minItems", "uniqueItems"})
"""What a part needn't meet."""


def relaxed(schema: Any) -> Any:
    """The same, with nothing required and null taken everywhere below the top."""
    return _part(schema, top=True)


def _part(schema: Any, *, top: bool = False) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    changed: dict[str, Any] = {name: one for name, one in schema.items() if name not in _OF_THE_WHOLE}
    for name in ("properties", "$defs"):
        if isinstance(changed.get(name), Mapping):
            changed[name] = {key: _part(one, top=name == "$defs") for key, one in changed[name].items()}
    for name in ("items", "additionalProperties"):
        if name in changed:
            changed[name] = _part(changed[name])
    for name in ("anyOf", "oneOf", "allOf"):
        if name in changed:
            changed[name] = [_part(one, top=True) for one in changed[name]]
    return changed if top else {"anyOf": [changed, {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Told:
    """What a part of the document said: data, and where the values are from."""

    data: Any = field(repr=False)
    values: Mapping[Path, Any] = field(repr=False)


def together(parts: Sequence[Told]) -> Told:
    """Of all parts, in order: what comes first counts; lists are joined, without what is the same again."""
    data: Any = None
    values: dict[Path, Any] = {}
    for told in parts:
        data = _joined(data, told.data, told.values, values, (), ())
    return Told(data, values)


def _joined(known: Any, more: Any, quotes: Mapping[Path, Any], values: dict[Path, Any], place: Path, now: Path) -> Any:
    """`place` leads to it in the part, and `now` in what is put together."""
    if more is None:
        return known
    match known, more:
        case dict(), dict():
            return known | {
                name: _joined(known.get(name), part, quotes, values, (*place, name), (*now, name))
                for name, part in more.items()
            }
        case list(), list():
            kept = list(known)
            for index, part in enumerate(more):
                if part not in kept:
                    kept.append(_joined(None, part, quotes, values, (*place, index), (*now, len(kept))))
            return kept
        case None, dict():
            return _joined({}, more, quotes, values, place, now)
        case None, list():
            return _joined([], more, quotes, values, place, now)
        case None, _:
            if place in quotes:
                values[now] = quotes[place]
            return more
        case _:
            return known
