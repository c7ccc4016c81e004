"""Which rules answer a schema: those for the forms that the jobs ask in, else those that fill any schema."""

from collections.abc import Mapping
from typing import Any

from infrastructure.offline.answering.analyses import analyses_answer
from infrastructure.offline.answering.asked import Asked
from infrastructure.offline.answering.extraction import extraction_answer
from infrastructure.offline.answering.facts import facts_answer
from infrastructure.offline.answering.structured import structured_answer
from infrastructure.offline.text.language import language_of
from infrastructure.ports.ai import reading


def form_answer(asked: Asked, schema: Mapping[str, Any]) -> Any:
    """A JSON value. The same for the same arguments."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return structured_answer(asked.read, schema)
    match schema.get("title"):
        case reading.FACTS:
            return facts_answer(asked.read, _language(properties, asked.read))
        case reading.EXTRACTION:
            return extraction_answer(asked.read, schema, _language(properties, asked.read))
        case reading.ANALYSIS:
            return analyses_answer(asked.documents, properties, _language(properties, asked.read))
        case _:
            return structured_answer(asked.read, schema)


def _language(properties: Mapping[str, Any], text: str) -> str:
    """The one that the form names."""
    match properties.get("language"):
        case {"enum": [str(named)]}:
            return named
        case _:
            return language_of(text).code
