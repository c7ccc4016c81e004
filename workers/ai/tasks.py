"""The AI pool's jobs, and what they share: a text provider, and the tenants' documents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.offline.provider import OfflineProvider, prepare
from infrastructure.ports.ai.text import TextProvider
from infrastructure.ports.documents import DocumentStore
from infrastructure.settings import Settings
from infrastructure.wiring import document_store
from kinds.declaration import job
from kinds.run import Run
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from workers.ai.analysis import analyze_content
from workers.ai.generation import generate_document
from workers.ai.processing import process_document


class Reading(NamedTuple):
    """What reads, and what is read."""

    provider: TextProvider
    documents: DocumentStore


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Reading]:
    """Opens it once the provider's child processes are warm; they end with the block."""
    async with processor_pool(settings.cpu_processes, prepare) as processors, document_store(settings) as documents:
        await processors.warm()
        yield Reading(OfflineProvider(processors), documents)


@job(uses=reading)
async def process(command: ProcessDocument, run: Run, reading: Reading) -> DocumentProcessed:
    return await process_document(command, run, provider=reading.provider, documents=reading.documents)


@job(uses=reading)
async def generate(command: GenerateDocument, run: Run, reading: Reading) -> DocumentGenerated:
    return await generate_document(command, run, provider=reading.provider)


@job(uses=reading)
async def analyze(command: AnalyzeContent, run: Run, reading: Reading) -> ContentAnalyzed:
    return await analyze_content(command, run, provider=reading.provider, documents=reading.documents)
