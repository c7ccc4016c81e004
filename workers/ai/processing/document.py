"""Handles ProcessDocument: reads one document."""

from events.ai import DocumentProcessed, LeftOut, Method
from kinds.run import Run
from schemas.ai import ProcessDocument
from workers.ai.measuring import measured
from workers.ai.processing.extracting import extracted
from workers.ai.processing.facts import FoundFacts, found_facts
from workers.ai.processing.merging import merged_facts
from workers.ai.processing.questions import extraction_question, facts_question
from workers.ai.questions.asking import Asking
from workers.ai.questions.in_parts import Asker, PartAnswer, Reading
from workers.ai.questions.parts import size_for
from workers.ai.questions.provenance import provenance_of, provider_of
from workers.ai.questions.question import call_of
from workers.ai.resources import Resources
from workers.ai.sources import Source, keep_facts, source_of

NOTHING_FOUND = FoundFacts(
    summary=(), key_phrases=(), dates=(), amounts=(), parties=(), defined_terms=(), left_out=LeftOut()
)


async def process_document(command: ProcessDocument, run: Run, *, resources: Resources) -> DocumentProcessed:
    """The document's facts, or what its schema asks for, each with its place in the text; kept with the document's version
    if it is a stored one. Safe to repeat: what was paid for is asked once. Refused when the schema can't be met."""
    source = await source_of(command, run.tenant_id, resources.documents)
    run.progress(0.05, "language")
    found = await resources.processors.run(measured, source.text, source.language)
    language = found.language.code
    asker = _asker(command, run, source, resources)
    facts, extraction = NOTHING_FOUND, None
    if command.json_schema is None:
        facts, read = await _facts(asker, source, language)
    else:
        extraction, read = await extracted(asker, source, command.json_schema, language)
    run.progress(0.95, "putting the findings together")
    processed = DocumentProcessed(
        title=source.title,
        document_id=source.document_id,
        document_type=command.document_type,
        provider=provider_of(read.made_by, rules=Method.EXTRACTIVE),
        language=found.language,
        size=found.size,
        unread_characters=source.unread_characters,
        **dict(facts),
        extraction=extraction,
        provenance=await provenance_of(resources, run, read.made_by),
    )
    await keep_facts(processed, source, command.kind, run, resources.documents)
    return processed


def _asker(command: ProcessDocument, run: Run, source: Source, resources: Resources) -> Asker:
    schema = command.json_schema
    question = facts_question(source, "", "und") if schema is None else extraction_question(source, "", schema, "und")
    models = resources.candidates(command.models, question.purpose)
    size = size_for(models, resources.registry, call_of(question, command, run), source.text)
    return Asker(Asking(resources.ask, resources.processors, command, run), resources.checkpoints, size)


async def _facts(asker: Asker, source: Source, language: str) -> tuple[FoundFacts, Reading]:
    read = await asker.read(source.text, lambda part: facts_question(source, part.text, language, part.index))
    return await asker.asking.processors.run(facts_in_parts, read.answers, language), read


def facts_in_parts(answers: tuple[PartAnswer, ...], language: str) -> FoundFacts:
    """For a child process: each passage is looked for in its text."""
    return merged_facts([(one.offset, found_facts(one.value, one.text, language)) for one in answers])
