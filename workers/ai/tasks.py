"""The AI pool's handlers, bound to their text provider."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.offline.provider import OfflineProvider, prepare
from infrastructure.settings import Settings
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from workers.ai.analysis import analyze_content
from workers.ai.generation import generate_document
from workers.ai.processing import process_document
from workers.runtime.handler import Handler


@asynccontextmanager
async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
    """Yields the handlers once the child processes are warm; the processes end with the block."""
    async with processor_pool(settings.cpu_processes, prepare) as processors:
        await processors.warm()
        provider = OfflineProvider(processors)
        yield (
            Handler(ProcessDocument, partial(process_document, provider=provider)),
            Handler(GenerateDocument, partial(generate_document, provider=provider)),
            Handler(AnalyzeContent, partial(analyze_content, provider=provider)),
        )
