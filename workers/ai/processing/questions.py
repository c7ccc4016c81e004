"""What is asked about a document."""

from collections.abc import Mapping
from typing import Any, Final

from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.reading import TEXT, extraction_schema, facts_schema
from infrastructure.ports.ai.sizes import PART_OUTPUT_TOKENS
from workers.ai.documents_in_prompt import PromptDocument
from workers.ai.questions.question import Question
from workers.ai.sources import Source

FACTS: Final = (
    "Find the facts of the document: three to eight sentences that sum it up; up to fifteen key phrases, best first; every "
    "date; every sum of money; every company, and every person in a defined role; every term that the document gives a meaning "
    "of its own. List each kind in the order of the document, and an empty list where it has none."
)
EXTRACT: Final = (
    "Extract from the document what the schema of `data` asks for. For each value in `data` that isn't null, `quotes` has its "
    "JSON pointer and the shortest passage that says it. Write numbers as numbers and days as YYYY-MM-DD where the schema wants "
    "those. A value that no passage says is null, or left out if the schema doesn't take null."
)


def facts_question(source: Source, text: str, language: str, index: int = 0) -> Question:
    return Question(
        Purpose.EXTRACT, FACTS, (_document(source, text),), facts_schema(language), PART_OUTPUT_TOKENS, section=index
    )


def extraction_question(
    source: Source, text: str, schema: Mapping[str, Any], language: str, index: int = 0
) -> Question:
    return Question(
        Purpose.EXTRACT,
        EXTRACT,
        (_document(source, text),),
        extraction_schema(schema, language),
        PART_OUTPUT_TOKENS,
        section=index,
    )


def _document(source: Source, text: str) -> PromptDocument:
    return PromptDocument(source.document_id or TEXT, source.stored.version if source.stored else None, text)
