"""A schema of somebody's own, filled by rules: a property gets the fact whose kind and words fit its name and description.
What no rule finds is left out, or null where the schema takes that: nothing is made up."""

from collections.abc import Mapping
from typing import Any

from infrastructure.offline.answering.candidates import Candidate, Candidates
from infrastructure.offline.answering.structured import kinds_of, resolved, whole

MAX_DEPTH = 20
MAX_ITEMS = 200
MAX_VALUES = 5_000
_NOTHING = object()


def extraction_answer(text: str, form: Mapping[str, Any], language: str) -> dict[str, Any]:
    filling = _Filling(form, Candidates(text, language))
    data = filling.value((), form["properties"].get("data", {}), "/")
    quotes = [{"path": path.removeprefix("/"), "quote": quote} for path, quote in filling.quotes]
    return {"language": language, "data": {} if data is _NOTHING else data, "quotes": quotes}


class _Filling:
    """One schema, the passages of what was filled in, and how many values there is still room for."""

    def __init__(self, root: Mapping[str, Any], candidates: Candidates) -> None:
        self._root = root
        self._candidates = candidates
        self._left = MAX_VALUES
        self.quotes: list[tuple[str, str]] = []

    def value(self, names: tuple[str, ...], schema: Any, path: str, fact: Mapping[str, Candidate] | None = None) -> Any:
        """`names` lead to it; `fact` has what is known where it is a part of one that was found."""
        schema = resolved(schema, self._root, len(names))
        self._left -= 1
        if not isinstance(schema, Mapping) or len(names) > MAX_DEPTH or self._left < 0:
            return _NOTHING
        if "const" in schema:
            return schema["const"]
        kinds = kinds_of(schema)
        if "object" in kinds:
            return self._object(names, schema, path, fact)
        if "array" in kinds:
            return self._array(names, schema, path)
        found = self._candidates.best(names, schema, kinds) if fact is None else _part_of(fact, names[-1], kinds)
        if found is None:
            return None if "null" in kinds else _NOTHING
        self.quotes.append((path, found.quote))
        return found.value

    def _object(
        self, names: tuple[str, ...], schema: Mapping[str, Any], path: str, fact: Mapping[str, Candidate] | None
    ) -> Any:
        given = schema.get("properties")
        filled = {
            name: self.value((*names, name), part, f"{path}/{_escaped(name)}", fact)
            for name, part in (given if isinstance(given, Mapping) else {}).items()
        }
        return {name: value for name, value in filled.items() if value is not _NOTHING}

    def _array(self, names: tuple[str, ...], schema: Mapping[str, Any], path: str) -> list[Any]:
        items: list[Any] = []
        part = resolved(schema.get("items", {}), self._root, len(names))
        for fact in self._candidates.listed(names)[: whole(schema, "maxItems", MAX_ITEMS)]:
            before = len(self.quotes)
            place = f"{path}/{len(items)}"
            item = self.value((*names, "text"), part, place, fact)
            if item is _NOTHING or item is None or item == {}:
                del self.quotes[before:]
            else:
                items.append(item)
        return items


def _part_of(fact: Mapping[str, Candidate], name: str, kinds: tuple[str, ...]) -> Candidate | None:
    """What a fact has of that name, or of the kind that is asked for."""
    wanted = name.casefold()
    numeric = bool({"number", "integer"} & set(kinds)) and "string" not in kinds
    for key in (wanted, "number" if numeric else "text" if wanted in ("value", "amount", "date") else wanted):
        found = fact.get(key)
        if found is not None and isinstance(found.value, str) is not numeric:
            return found
    return None


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
