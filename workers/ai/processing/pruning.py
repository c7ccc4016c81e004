"""Takes values out of an extraction so that the rest still meets the schema."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from infrastructure.json_schema.validation import Path, SchemaError, errors_of

MAX_ROUNDS: Final = 200


@dataclass(frozen=True, slots=True)
class Pruned:
    data: Any = field(repr=False)
    unmet: tuple[SchemaError, ...]
    """What the schema wants that can't be taken out; pointers lead into the data as it was."""
    places: Mapping[Path, Path] = field(repr=False)
    """Where the values that are left were, and where they are now."""


def pruned(data: Any, unsupported: Iterable[Path], schema: Mapping[str, Any]) -> Pruned:
    """Each of the values is null if the schema takes that, else it is left out; where it may not be missing, what it is a part
    of goes the same way."""
    pruning = _Pruning(data, set(unsupported))
    for rounds_left in reversed(range(MAX_ROUNDS)):
        left, places = pruning.left()
        back = {new: old for old, new in places.items()}
        errors = [replace(one, path=back[one.path]) for one in errors_of(schema, left)]
        answered = [pruning.answer(error) for error in errors]
        if not rounds_left or not any(answered):
            break
    return Pruned(left, tuple(errors), places)


class _Pruning:
    def __init__(self, data: Any, unsupported: set[Path]) -> None:
        self._data = data
        self._null = unsupported
        self._gone: set[Path] = set()

    def left(self) -> tuple[Any, dict[Path, Path]]:
        places: dict[Path, Path] = {}
        return self._part(self._data, (), (), places), places

    def _part(self, value: Any, old: Path, new: Path, places: dict[Path, Path]) -> Any:
        places[old] = new
        if old in self._null:
            return None
        match value:
            case dict():
                return {
                    name: self._part(part, (*old, name), (*new, name), places)
                    for name, part in value.items()
                    if (*old, name) not in self._gone
                }
            case list():
                kept = [(place, part) for place, part in enumerate(value) if (*old, place) not in self._gone]
                return [self._part(part, (*old, place), (*new, now), places) for now, (place, part) in enumerate(kept)]
            case _:
                return value

    def answer(self, error: SchemaError) -> bool:
        """Takes out what the error is about. False when it has nothing to do with what is missing."""
        path = error.path
        if path in self._null:
            if not path:
                return False
            self._null.discard(path)
            self._gone.add(path)
            return True
        inside = {one for one in self._null if one[: len(path)] == path}
        if inside:
            self._null -= inside
            self._gone |= inside
            return True
        if path and any(one[: len(path)] == path for one in self._gone):
            self._null.add(path)
            return True
        return False
