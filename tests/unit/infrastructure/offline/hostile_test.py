"""A hostile text costs what an honest one of its size does: every step ends, well inside the job's own time limit."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.offline.answering.answer import answer
from infrastructure.offline.answering.asked import Asked
from infrastructure.offline.answering.documents import GivenDocument
from infrastructure.ports import Processors
from infrastructure.ports.ai.reading import analysis_schema, extraction_schema, facts_schema
from schemas.ai import Analysis, Category, Criterion, ProcessDocument
from schemas.documents import MAX_TEXT_CHARACTERS
from workers.ai.analysis.findings import AnalyzedPart, findings_in
from workers.ai.measuring import measured, measured_readability
from workers.ai.processing.document import facts_in_parts
from workers.ai.processing.extracting import checked_parts
from workers.ai.questions.in_parts import PartAnswer
from workers.ai.questions.repairing import ReadAnswer, read_answer
from workers.ai.resources import prepared

BOUND_SECONDS = ProcessDocument.time_limit_seconds / 15
"""For everything that can be asked of one text. An unbounded pattern would take hours; honest text takes about 2 s."""

SEEDS = (
    "(",
    '("a ',
    "1 000 ",
    "X Ltd (the “Supplier”) ",
    "between Ann Lee ",
    "“a” means ",
    "shall not a a a ",
    "|a|b|\n",
    "! A",
    "a-",
)


def hostile_texts() -> Iterator[str]:
    for seed in SEEDS:
        yield (seed * (MAX_TEXT_CHARACTERS // len(seed) + 1))[:MAX_TEXT_CHARACTERS]
    yield "\n" * (MAX_TEXT_CHARACTERS - 1) + "a"
    letters = random.Random(7)
    yield "".join(chr(letters.randrange(0x20, 0x2FFF)) for _ in range(MAX_TEXT_CHARACTERS))


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "supplier": {"type": ["string", "null"]},
        "start_date": {"type": ["string", "null"], "format": "date"},
        "total_price": {"type": ["number", "null"]},
        "amounts": {"type": "array", "items": {"type": "object", "properties": {"value": {"type": "number"}}}},
    },
}
ANALYSES = ("sentiment", "risk_terms", "comparison", "classification", "scoring")
A_FEE = "a fee that the supplier pays"


async def ask_everything(processors: Processors, text: str) -> None:
    await processors.run(measured, text, None)
    await processors.run(measured_readability, text, "en")
    facts = await answered(processors, text, facts_schema("en"))
    await processors.run(facts_in_parts, (PartAnswer(0, text, facts.value),), "en")
    extracted = await answered(processors, text, extraction_schema(SCHEMA, "en"))
    await processors.run(checked_parts, (PartAnswer(0, text, extracted.value),), len(text), SCHEMA, "en")
    named = (Category(name="fee", description=A_FEE),), (Criterion(name="fee", description=A_FEE),)
    analyzed = await answered(processors, text, analysis_schema(ANALYSES, *named, "en"))
    asked = [Analysis(one) for one in ANALYSES]
    await processors.run(findings_in, (AnalyzedPart(0, text, analyzed.value, 0, text[::-1]),), asked)


async def answered(processors: Processors, text: str, schema: dict[str, Any]) -> ReadAnswer:
    asked = Asked((GivenDocument("text", text), GivenDocument("reference", text[::-1])), "")
    written = await processors.run(answer, asked, schema, (), 1_000_000)
    read = await processors.run(read_answer, "".join(written.pieces), schema)
    assert read.errors == ()
    return read


def test_every_question_about_a_hostile_text_is_answered_within_the_bound() -> None:
    async def ask() -> None:
        async with processor_pool(1, prepared) as pool:
            for text in hostile_texts():
                try:
                    async with asyncio.timeout(BOUND_SECONDS):
                        await ask_everything(pool, text)
                except TimeoutError:
                    pytest.fail(f"no end within {BOUND_SECONDS:.0f} s: {text[:20]!r} …")

    asyncio.run(ask())
