"""The answer to a prompt, without a model: sentences of its documents or of the prompt itself, or a schema filled from them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infrastructure.offline.analysis.summary import summary_of
from infrastructure.offline.answering.asked import Asked
from infrastructure.offline.answering.forms import form_answer
from infrastructure.offline.answering.restating import MAX_CHARACTERS, restated
from infrastructure.offline.answering.section import extracted_section
from infrastructure.offline.text.language import language_of
from infrastructure.offline.text.sentences import prose_in

TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])")
PIECE_TOKENS = 12


@dataclass(frozen=True, slots=True)
class OfflineAnswer:
    pieces: tuple[str, ...]
    output_tokens: int
    complete: bool


def answer(asked: Asked, schema: Mapping[str, Any] | None, stop: tuple[str, ...], max_tokens: int) -> OfflineAnswer:
    """The same for the same arguments. Its sentences stand word for word in the documents, or in the prompt without any."""
    written = _prose(asked) if schema is None else json.dumps(form_answer(asked, schema), ensure_ascii=False)
    ends = [place for one in stop if one and (place := written.find(one)) >= 0]
    tokens = TOKEN.findall(written[: min(ends)] if ends else written)
    kept = tokens[:max_tokens]
    pieces = tuple("".join(kept[start : start + PIECE_TOKENS]) for start in range(0, len(kept), PIECE_TOKENS))
    return OfflineAnswer(pieces, len(kept), complete=len(kept) == len(tokens))


def tokens_in(text: str) -> int:
    """Words and marks: what the offline provider counts as tokens."""
    return sum(1 for _ in TOKEN.finditer(text))


def _prose(asked: Asked) -> str:
    if asked.documents:
        return extracted_section([one.text for one in asked.documents], asked.instruction)
    text = asked.instruction
    if len(text) <= MAX_CHARACTERS:
        return restated(text) or text.strip()
    sentences = summary_of(prose_in(text), language_of(text).code)
    # A text without a sentence is its own summary.
    return " ".join(one.text for one in sentences) or text.strip()
