"""The AI pool's jobs."""

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed, PromptTested
from infrastructure.ports.ai.purposes import Purpose
from kinds.declaration import job
from kinds.run import Run
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument, TestPrompt
from workers.ai.analysis.content import analyze_content
from workers.ai.generation.document import generate_document
from workers.ai.processing.document import process_document
from workers.ai.prompt_tests import run_prompt_tests
from workers.ai.resources import Resources, resources


@job(uses=resources)
async def process(command: ProcessDocument, run: Run, resources: Resources) -> DocumentProcessed:
    resources.leave_processor(command.models, Purpose.EXTRACT)
    return await process_document(command, run, resources=resources)


@job(uses=resources)
async def generate(command: GenerateDocument, run: Run, resources: Resources) -> DocumentGenerated:
    return await generate_document(command, run, resources)


@job(uses=resources)
async def analyze(command: AnalyzeContent, run: Run, resources: Resources) -> ContentAnalyzed:
    resources.leave_processor(command.models, Purpose.CLASSIFY)
    return await analyze_content(command, run, resources=resources)


@job(uses=resources)
async def test_prompt(command: TestPrompt, run: Run, resources: Resources) -> PromptTested:
    return await run_prompt_tests(command, run, resources)
