"""A JSON value for a schema, filled with what the rules find in the text. What they don't find stays empty or null."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from events.ai import KeyPhrase
from infrastructure.offline.analysis.summary import summary_of
from infrastructure.offline.extraction.amounts import amounts_in
from infrastructure.offline.extraction.dates import dates_in
from infrastructure.offline.extraction.parties import parties_in
from infrastructure.offline.extraction.phrases import phrases_of
from infrastructure.offline.extraction.terms import terms_in
from infrastructure.offline.text.language import language_of
from infrastructure.offline.text.sentences import Block, Sentence, prose_in, sentences_in

MAX_DEPTH = 20
MAX_SUBJECTS = 4
MAX_HEADINGS = 12
MAX_ITEMS = 200
MAX_VALUES = 20_000

Found = Mapping[str, Any]


def structured_answer(text: str, schema: Mapping[str, Any]) -> Any:
    """Properties are filled by their names: summary, language, title, dates, amounts, parties, defined_terms, key_phrases,
    and sections for a plan."""
    return _Filling(schema).value("", schema, _found_in(text))


def _found_in(text: str) -> Found:
    language = language_of(text).code
    terms = terms_in(text)
    sentences = sentences_in(text)
    key_phrases = phrases_of(text, sentences, language)
    lists: dict[str, Sequence[Any]] = {
        "dates": dates_in(text, language),
        "amounts": amounts_in(text, language),
        "parties": parties_in(text, terms),
        "defined_terms": terms,
        "key_phrases": key_phrases,
    }
    return {
        "language": language,
        "summary": " ".join(one.text for one in summary_of(prose_in(text), language)),
        "title": next((line.strip(" #") for line in text.splitlines() if line.strip()), "")[:300],
        "sections": _plan(sentences, key_phrases),
        **{name: [one.model_dump(mode="json") for one in found[:MAX_ITEMS]] for name, found in lists.items()},
    }


def _plan(sentences: Sequence[Sentence], key_phrases: Sequence[KeyPhrase]) -> list[dict[str, str]]:
    """The headings of the text after its title, each once; its subjects where it has none."""
    headings = {_plain(one.text): None for one in sentences if one.block is Block.HEADING}
    subjects = [one for one in list(headings)[1 if len(headings) > 1 else 0 :] if one]
    if not subjects:
        subjects = [one.text[:1].upper() + one.text[1:] for one in key_phrases[:MAX_SUBJECTS]]
    return [{"heading": one, "instruction": one} for one in subjects[:MAX_HEADINGS]]


def _plain(heading: str) -> str:
    """Without its mark and its number."""
    return re.sub(r"^[#\s]*(?:(?:\d{1,3}\.){1,4}|\d{1,3}(?:\.\d{1,3}){1,4})?\s*", "", heading.strip()).strip(" #*")[
        :200
    ]


class _Filling:
    """One schema, and how many of its values there is still room for: one that refers to itself twice would double with
    each step."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MAX_VALUES

    def value(self, name: str, schema: Any, found: Found, depth: int = 0) -> Any:
        schema = resolved(schema, self._root, depth)
        self._left -= 1
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH or self._left < 0:
            return None
        if "const" in schema:
            return schema["const"]
        kinds = kinds_of(schema)
        here = found.get(name)
        if "object" in kinds:
            # A fact's own parts come first; the text's title isn't that of each of its parts.
            inside: Found = here if isinstance(here, Mapping) else found
            given = schema.get("properties")
            properties = given if isinstance(given, Mapping) else {}
            return {one: self.value(one, inner, inside, depth + 1) for one, inner in properties.items()}
        if "array" in kinds:
            facts = here if isinstance(here, list) else []
            limit = whole(schema, "maxItems", MAX_ITEMS)
            return [self._item(one, schema.get("items", {}), depth + 1) for one in facts[:limit]]
        return _scalar(here, schema, kinds)

    def _item(self, fact: Any, schema: Any, depth: int) -> Any:
        meant = resolved(schema, self._root, depth)
        if isinstance(meant, Mapping) and "object" in kinds_of(meant) and isinstance(fact, Mapping):
            return self.value("fact", meant, {"fact": fact, **fact}, depth)
        return _scalar(fact.get("text") if isinstance(fact, Mapping) else fact, meant, kinds_of(meant))


def _scalar(here: Any, schema: Any, kinds: Sequence[str]) -> Any:
    schema = schema if isinstance(schema, Mapping) else {}
    allowed = schema.get("enum")
    if isinstance(allowed, list) and allowed:
        return here if here in allowed else (None if None in allowed else allowed[0])
    if "string" in kinds and isinstance(here, str):
        return here[: whole(schema, "maxLength", len(here))]
    if "boolean" not in kinds and ("integer" in kinds or "number" in kinds) and isinstance(here, int):
        return here
    if "null" in kinds or not kinds:
        return None
    return {"string": "", "integer": 0, "number": 0, "boolean": False}.get(kinds[0])


def kinds_of(schema: Any) -> tuple[str, ...]:
    if not isinstance(schema, Mapping):
        return ()
    kind = schema.get("type", "object" if "properties" in schema else ())
    kinds = (kind,) if isinstance(kind, str) else kind
    return tuple(one for one in kinds if isinstance(one, str)) if isinstance(kinds, list | tuple) else ()


def whole(schema: Mapping[str, Any], name: str, default: int) -> int:
    found = schema.get(name)
    return found if isinstance(found, int) and found >= 0 else default


def resolved(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    """The schema itself, what it refers to, or the first that it allows."""
    for _ in range(MAX_DEPTH - min(depth, MAX_DEPTH)):
        if not isinstance(schema, Mapping):
            break
        allowed = next((schema[name] for name in ("anyOf", "oneOf", "allOf") if schema.get(name)), None)
        if isinstance(schema.get("$ref"), str):
            schema = _referred(schema["$ref"], root)
        elif isinstance(allowed, list):
            schema = allowed[0]
        else:
            break
    return schema


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
