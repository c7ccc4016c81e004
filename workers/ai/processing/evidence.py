"""Keeps of an extraction what the text says: each value with its passage, the rest listed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from events.ai import Quote
from infrastructure.json_schema.validation import Path, SchemaError
from workers.ai.processing.pruning import pruned
from workers.ai.processing.support import supports
from workers.ai.questions.repairing import pointer_of, schema_at
from workers.ai.quoting import Passages

MAX_VALUES = 5_000


@dataclass(frozen=True, slots=True)
class Checked:
    """An extraction, or that of a part, and how far it meets its schema."""

    data: Any = field(repr=False)
    values: Mapping[Path, Quote] = field(repr=False)
    unsupported: tuple[Path, ...]
    """In the answer as it was."""
    unmet: tuple[SchemaError, ...] = ()


def checked(answer: Mapping[str, Any], text: str, schema: Mapping[str, Any], language: str) -> Checked:
    """Without what no passage says: null where the schema takes that, else left out, and with it what needs it."""
    passages = Passages(text)
    said = {one["path"]: one["quote"] for one in answer["quotes"]}
    found: dict[Path, Quote] = {}
    unsupported: list[Path] = []
    for count, (path, value) in enumerate(_values(answer["data"])):
        if value is None or _is_fixed(schema, path):
            continue
        chosen = _is_chosen(schema, path)
        quote = _passage(passages, said, path, value, language, chosen=chosen) if count < MAX_VALUES else None
        if quote is None:
            unsupported.append(path)
        else:
            found[path] = quote
    left = pruned(answer["data"], unsupported, schema)
    values = {left.places[path]: quote for path, quote in found.items() if path in left.places}
    return Checked(left.data, values, tuple(unsupported), left.unmet)


def nulls_in(data: Any) -> list[Path]:
    return [path for path, value in _values(data) if value is None]


def _values(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Those that have no parts."""
    match value:
        case dict():
            for name, part in value.items():
                yield from _values(part, (*path, name))
        case list():
            for place, part in enumerate(value):
                yield from _values(part, (*path, place))
        case _:
            yield path, value


def _is_fixed(schema: Mapping[str, Any], path: Path) -> bool:
    """The schema leaves no choice, so no passage has to say it."""
    match schema_at(schema, path):
        case {"const": _}:
            return True
        case {"enum": [_]}:
            return True
        case _:
            return False


def _is_chosen(schema: Mapping[str, Any], path: Path) -> bool:
    """The schema has the words that it may be, so they needn't be the passage's."""
    match schema_at(schema, path):
        case {"enum": _}:
            return True
        case _:
            return False


def _passage(
    passages: Passages, said: Mapping[str, str], path: Path, value: Any, language: str, *, chosen: bool
) -> Quote | None:
    """The one that was given for the value, or for what it is a part of; a text that stands there itself needs none."""
    for length in range(len(path), 0, -1):
        quote = passages.find(said.get(pointer_of(path[:length])))
        if quote is not None and (chosen or supports(quote.text, value, language)):
            return quote
    return passages.find(value) if isinstance(value, str) else None
