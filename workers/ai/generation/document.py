"""Handles GenerateDocument: writes one document, and stores it if it is to be kept."""

from events.ai import DocumentGenerated, Method, Provider, Writing
from infrastructure.offline.model import NAME
from infrastructure.ports import Processors
from kinds.run import Run
from schemas.ai import GenerateDocument
from workers.ai.generation.from_prompt import written_from_prompt
from workers.ai.generation.markdown import as_markdown
from workers.ai.generation.storing import stored_as_document
from workers.ai.generation.written import WrittenDocument
from workers.ai.resources import Resources

BY_TEMPLATE = Provider(name=NAME, method=Method.TEMPLATE)


async def generate_document(command: GenerateDocument, run: Run, resources: Resources) -> DocumentGenerated:
    """The document as Markdown. Raises Refused when facts that its wording needs are missing, by their names, and when no
    model can or may write it. Safe to repeat: a section that was written isn't written again, and what was stored is stored
    once."""
    if command.prompt is None:
        written = await _filled(command, run, resources.processors)
    else:
        written = await written_from_prompt(command, command.prompt, run, resources)
    run.progress(0.95, "putting the document together")
    document = as_markdown(command.title, written.sections)
    stored = None
    if command.store is not None:
        stored = await stored_as_document(command, command.store, document, run, resources.documents)
    return DocumentGenerated(
        title=command.title,
        document_id=command.document_id,
        provider=written.provider,
        language=command.language,
        tone=written.tone,
        document=document,
        sections=written.sections,
        unused_facts=written.unused_facts,
        unread_characters=written.unread_characters,
        stored=stored,
        provenance=written.provenance,
    )


async def _filled(command: GenerateDocument, run: Run, processors: Processors) -> WrittenDocument:
    run.progress(0.1, "filling the sections")
    writing = await processors.run(filled, command)
    return WrittenDocument(
        writing.sections, BY_TEMPLATE, command.tone if writing.tone_applied else None, writing.unused_facts
    )


def filled(command: GenerateDocument) -> Writing:
    """The filled sections of the command's template. Refused when the wording needs a fact that isn't given, or can't be used."""
    # Liquid and Babel are loaded for the first of these, and only in the child process that writes it.
    from infrastructure.offline.generation.writer import write

    return write(command)
