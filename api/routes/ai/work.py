"""How many calls of a model a command's job would make, and how large they are. What documents say isn't read for it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from api.endpoint import Call
from api.prompt_references import rendered_for
from infrastructure.model_registry.estimation import Work
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.sizes import (
    ANALYSIS_OUTPUT_TOKENS,
    INSTRUCTION_BYTES,
    MAX_CALLS_OF_A_SECTION,
    MAX_INPUT_TOKENS,
    MAX_PART_CHARACTERS,
    MAX_REPAIRS,
    MAX_SECTIONS,
    MAX_TRIES_WHEN_EMPTY,
    PART_OUTPUT_TOKENS,
    PLAN_OUTPUT_TOKENS,
    SECTION_OUTPUT_TOKENS,
)
from infrastructure.postgres.documents.sizes import text_bytes
from schemas.ai import MAX_READ_CHARACTERS, Analysis, AnalyzeContent, GenerateDocument, ModelCommand, ProcessDocument
from schemas.ai.prompts import RenderedPrompt
from schemas.documents import DocumentRef

LIKELY_SECTIONS = 8
"""Of a document whose sections a model plans."""


@dataclass(frozen=True, slots=True)
class Estimated:
    work: Work
    purpose: Purpose
    """Of most of the calls."""
    prompt: RenderedPrompt | None = None
    """That they are made of, if there is one."""


NO_CALLS = Work(0, 0, 0)


async def work_of(call: Call[Any, Any], command: ModelCommand) -> Estimated:
    """The calls of a command that was validated and pinned."""
    match command:
        case ProcessDocument():
            size = await _size_of(call, command.text, command.document)
            return Estimated(_reading(size, PART_OUTPUT_TOKENS, _schema(command)), Purpose.EXTRACT)
        case AnalyzeContent():
            if set(command.analyses) == {Analysis.READABILITY}:
                return Estimated(NO_CALLS, Purpose.CLASSIFY)  # It is counted, whichever model there is.
            size = await _size_of(call, command.text, command.document)
            size += await _size_of(call, command.reference, command.reference_document)
            return Estimated(_reading(size, ANALYSIS_OUTPUT_TOKENS), Purpose.CLASSIFY)
        case GenerateDocument() if command.prompt is not None:
            rendered = await rendered_for(call, command)
            return Estimated(_writing(rendered, await _sizes_of(call, command.inputs)), Purpose.SECTION, rendered)
    return Estimated(NO_CALLS, Purpose.SECTION)


def _reading(size: int, output_tokens: int, schema_bytes: int = 0) -> Work:
    parts = max(ceil(size / MAX_PART_CHARACTERS), 1)
    return Work(parts, ceil(size / parts) + INSTRUCTION_BYTES + schema_bytes, output_tokens, repeats=1 + MAX_REPAIRS)


def _writing(prompt: RenderedPrompt, sizes: Sequence[int]) -> Work:
    documents = min(sum(sizes), 2 * MAX_INPUT_TOKENS)
    planned = prompt.sections or ()
    calls = len(planned) or min(LIKELY_SECTIONS, MAX_SECTIONS) + 1
    said = len(prompt.system.encode()) + sum(len(one.instruction.encode()) for one in planned) // calls
    # The plan is one more call, and not longer than a section.
    output_tokens = max(prompt.max_output_tokens or SECTION_OUTPUT_TOKENS, 0 if planned else PLAN_OUTPUT_TOKENS)
    repeats = MAX_TRIES_WHEN_EMPTY if prompt.max_output_tokens else MAX_CALLS_OF_A_SECTION
    return Work(calls, documents + said + INSTRUCTION_BYTES, output_tokens, repeats)


def _schema(command: ProcessDocument) -> int:
    return 0 if command.json_schema is None else len(json.dumps(command.json_schema))


async def _size_of(call: Call[Any, Any], text: str | None, document: DocumentRef | None) -> int:
    if text is not None:
        return await asyncio.to_thread(lambda: len(text.encode()))
    return sum(await _sizes_of(call, () if document is None else (document,)))


async def _sizes_of(call: Call[Any, Any], documents: Sequence[DocumentRef]) -> list[int]:
    if not documents:
        return []
    return [min(size, MAX_READ_CHARACTERS) for size in await call.db.run(text_bytes, documents)]
