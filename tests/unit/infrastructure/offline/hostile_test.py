"""A hostile text costs what an honest one of its size does: every step ends, well inside the job's own time limit."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.offline.provider import OfflineProvider, prepare
from infrastructure.ports.ai.text import TextProvider
from schemas.ai import ProcessDocument
from schemas.documents import MAX_TEXT_CHARACTERS

BOUND_SECONDS = ProcessDocument.time_limit_seconds / 5
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


async def ask_everything(provider: TextProvider, text: str) -> None:
    await provider.language_of(text)
    await provider.facts_in(text, "en")
    await provider.key_phrases_of(text, "en")
    await provider.summary_of(text, "en")
    await provider.readability_of(text, "en")
    await provider.sentiment_of(text, "en")
    await provider.risk_in(text, "en")
    await provider.comparison_of(text, text[::-1])


def test_every_question_about_a_hostile_text_is_answered_within_the_bound() -> None:
    async def ask() -> None:
        async with processor_pool(1, prepare) as pool:
            provider = OfflineProvider(pool)
            for text in hostile_texts():
                try:
                    async with asyncio.timeout(BOUND_SECONDS):
                        await ask_everything(provider, text)
                except TimeoutError:
                    pytest.fail(f"no end within {BOUND_SECONDS:.0f} s: {text[:20]!r} …")

    asyncio.run(ask())
