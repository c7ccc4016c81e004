"""What of an answer has to be corrected, and how a model is asked for that: with what is wrong and the part at fault."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from infrastructure.json_schema.mending import Unreadable, at, mended, read_json
from infrastructure.json_schema.validation import Path, Rule, SchemaError
from infrastructure.ports.ai.reading import repair_schema
from workers.ai.documents_in_prompt import PromptDocument
from workers.ai.questions.question import Question, asked_for_repair

MAX_FRAGMENT_CHARACTERS: Final = 20_000
MAX_NAMED: Final = 20
ANSWER: Final = "answer"
"""The id of the part at fault in the prompt."""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What a model wrote, read as JSON and held against its schema."""

    value: Any = field(repr=False)
    errors: tuple[SchemaError, ...]
    unreadable: str | None = field(default=None, repr=False)
    """The text, when it is no JSON; then there is no value."""


def read_answer(text: str, schema: Mapping[str, Any]) -> ReadAnswer:
    """With all that can be put right without asking again."""
    try:
        value = read_json(text)
    except Unreadable as error:
        return ReadAnswer(None, (SchemaError((), "json", str(error)),), text)
    value, errors = mended(schema, value)
    return ReadAnswer(value, errors)


@dataclass(frozen=True, slots=True)
class Repair:
    path: Path
    """To the part of the answer that is asked for again."""
    question: Question


def repair_of(question: Question, read: ReadAnswer) -> Repair | None:
    """None when the part at fault is too long to be sent back."""
    path, part = _at_fault(question.schema, read.errors)
    if read.unreadable is not None:
        fragment = read.unreadable[:MAX_FRAGMENT_CHARACTERS]
    else:
        fragment = json.dumps(at(read.value, path), ensure_ascii=False)
        if len(fragment) > MAX_FRAGMENT_CHARACTERS:
            return None
    shown = [PromptDocument(ANSWER, None, fragment)]
    # Only the document says what is missing; what is wrong shows in the part itself.
    if read.unreadable is not None or any(error.rule == Rule.REQUIRED for error in read.errors):
        shown = [*question.documents, *shown]
    definitions = question.schema.get("$defs", {})
    return Repair(
        path, asked_for_repair(question, _instruction(path, read.errors), repair_schema(part, definitions), shown)
    )


def corrected(read: ReadAnswer, path: Path, text: str, schema: Mapping[str, Any]) -> ReadAnswer:
    """The answer with the part that a model wrote anew; as it was where that can't be read."""
    try:
        written = read_json(text)
        part = written["corrected"] if isinstance(written, dict) and "corrected" in written else written
    except Unreadable:
        return read
    if path:
        at(read.value, path[:-1])[path[-1]] = part
    value, errors = mended(schema, read.value if path else part)
    return ReadAnswer(value, errors)


def _instruction(path: Path, errors: Sequence[SchemaError]) -> str:
    wrong = "\n".join(f"- {pointer_of(error.path)}: {error.message}" for error in errors[:MAX_NAMED])
    return (
        f'The document with the id "{ANSWER}" is the part {pointer_of(path)} of an answer that doesn\'t meet its schema. '
        f"What is wrong:\n{wrong}\n"
        "Write this part anew so that it meets the schema, as `corrected`. Change nothing else in it."
    )


def _at_fault(schema: Mapping[str, Any], errors: Sequence[SchemaError]) -> tuple[Path, Mapping[str, Any]]:
    """The smallest part that has all errors, and whose schema is known."""
    paths = [error.path for error in errors]
    shared: list[str | int] = []
    for steps in zip(*paths, strict=False):
        if len(set(steps)) > 1:
            break
        shared.append(steps[0])
    while shared:
        found = schema_at(schema, tuple(shared))
        if found is not None:
            return tuple(shared), found
        shared.pop()
    return (), schema


def schema_at(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    """What the schema says of a part; None where that depends on the value."""
    found: Any = schema
    for step in path:
        found = _referred(found, schema)
        match found:
            case {"properties": {**properties}} if step in properties:
                found = properties[step]
            case {"items": items} if isinstance(step, int):
                found = items
            case {"additionalProperties": {**other}} if isinstance(step, str):
                found = other
            case _:
                return None
    found = _referred(found, schema)
    return found if isinstance(found, Mapping) else None


def _referred(part: Any, root: Mapping[str, Any]) -> Any:
    for _ in range(len(root.get("$defs", {})) + 1):
        match part:
            case {"$ref": str(reference)}:
                part = root.get("$defs", {}).get(reference.removeprefix("#/$defs/"))
            case _:
                break
    return part


def pointer_of(path: Path) -> str:
    """RFC 6901."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
