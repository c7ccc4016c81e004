"""The AI pool's jobs, and the text provider they share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.offline.provider import OfflineProvider, prepare
from infrastructure.ports.ai.text import TextProvider
from infrastructure.settings import Settings
from kinds.declaration import job
from kinds.run import Run
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from workers.ai.analysis import analyze_content
from workers.ai.generation import generate_document
from workers.ai.processing import process_document


@asynccontextmanager
async def text_provider(settings: Settings) -> AsyncIterator[TextProvider]:
    """Yields the provider once its child processes are warm; they end with the block."""
    async with processor_pool(settings.cpu_processes, prepare) as processors:
        await processors.warm()
        yield OfflineProvider(processors)


@job(uses=text_provider)
async def process(command: ProcessDocument, run: Run, provider: TextProvider) -> DocumentProcessed:
    return await process_document(command, run, provider=provider)


@job(uses=text_provider)
async def generate(command: GenerateDocument, run: Run, provider: TextProvider) -> DocumentGenerated:
    return await generate_document(command, run, provider=provider)


@job(uses=text_provider)
async def analyze(command: AnalyzeContent, run: Run, provider: TextProvider) -> ContentAnalyzed:
    return await analyze_content(command, run, provider=provider)
