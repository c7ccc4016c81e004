"""Extracts to a schema of the command's own."""

from collections.abc import Mapping
from typing import Any, Final

from events.ai import ExtractedValue, Extraction
from infrastructure.json_schema.validation import SchemaUnusable, check_schema
from infrastructure.ports import Refused
from schemas.problems import FieldProblem, Problem
from workers.ai.processing.evidence import Checked, checked, nulls_in
from workers.ai.processing.pruning import pruned
from workers.ai.processing.questions import extraction_question
from workers.ai.processing.relaxing import Told, relaxed, together
from workers.ai.questions.asking import schema_unmet
from workers.ai.questions.in_parts import Asker, PartAnswer, Reading
from workers.ai.questions.parts import TextPart
from workers.ai.questions.question import Question
from workers.ai.questions.repairing import pointer_of
from workers.ai.sources import Source

MAX_UNSUPPORTED: Final = 500
BELOW: Final = "/json_schema"


async def extracted(
    asker: Asker, source: Source, schema: Mapping[str, Any], language: str
) -> tuple[Extraction, Reading]:
    """What the text says for the schema. Refused, naming what is unmet, when it doesn't say what the schema requires."""
    _check_usable(schema)

    def question(part: TextPart) -> Question:
        asked = _asked_of(schema, part.text, len(source.text))
        return extraction_question(source, part.text, asked, language, part.index)

    read = await asker.read(source.text, question)
    found = await asker.asking.processors.run(checked_parts, read.answers, len(source.text), schema, language)
    if found.unmet:
        raise Refused(schema_unmet(found.unmet))
    return _extraction(found), read


def _asked_of(schema: Mapping[str, Any], part: str, whole_characters: int) -> Mapping[str, Any]:
    """A part needn't say what the whole has to."""
    return schema if len(part) == whole_characters else relaxed(schema)


def _check_usable(schema: Mapping[str, Any]) -> None:
    try:
        check_schema(schema)
    except SchemaUnusable as error:
        problem = FieldProblem(pointer=f"{BELOW}{pointer_of(error.path)}", detail=str(error))
        raise Refused(
            Problem.of(
                "schema-unusable", "The schema can't be used", 422, f"{problem.pointer}: {error}", errors=(problem,)
            )
        ) from None


def checked_parts(
    answers: tuple[PartAnswer, ...], whole_characters: int, schema: Mapping[str, Any], language: str
) -> Checked:
    """What the parts say, put together and held against the whole schema."""
    parts = [
        (one.offset, checked(one.value, one.text, _asked_of(schema, one.text, whole_characters), language))
        for one in answers
    ]
    if len(parts) == 1:
        return parts[0][1]
    told = together([_told(offset, part) for offset, part in parts])
    data = {} if told.data is None else told.data
    left = pruned(data, nulls_in(data), schema)
    return Checked(
        left.data,
        {left.places[path]: quote for path, quote in told.values.items() if path in left.places},
        tuple(path for _, part in parts for path in part.unsupported),
        left.unmet,
    )


def _told(offset: int, part: Checked) -> Told:
    quotes = {path: quote.model_copy(update={"offset": quote.offset + offset}) for path, quote in part.values.items()}
    return Told(part.data, quotes)


def _extraction(found: Checked) -> Extraction:
    return Extraction(
        data=found.data,
        values=tuple(ExtractedValue(path=pointer_of(path), quote=quote) for path, quote in found.values.items()),
        unsupported=tuple(pointer_of(path) for path in found.unsupported[:MAX_UNSUPPORTED]),
    )
