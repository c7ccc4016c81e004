"""Handles ProcessDocument: extracts facts, key phrases and a summary from one document."""

from events.ai import DocumentProcessed
from infrastructure.ports.ai.text import TextProvider
from infrastructure.ports.documents import DocumentStore
from kinds.run import Run
from schemas.ai import ProcessDocument
from workers.ai.language import language_of
from workers.ai.sources import keep_facts, source_of


async def process_document(
    command: ProcessDocument, run: Run, *, provider: TextProvider, documents: DocumentStore
) -> DocumentProcessed:
    """The facts, key phrases and summary, each with its position in the text; kept with the document's version if it is a
    stored one. Safe to repeat."""
    source = await source_of(command, run.tenant_id, documents)
    text = source.text
    run.progress(0.05, "language")
    language = await language_of(text, source.language, provider)
    run.progress(0.1, "dates, amounts, parties and defined terms")
    facts = await provider.facts_in(text, language.code)
    run.progress(0.3, "key phrases")
    key_phrases = await provider.key_phrases_of(text, language.code)
    run.progress(0.9, "summary")
    summary = await provider.summary_of(text, language.code)
    processed = DocumentProcessed(
        title=source.title,
        document_id=source.document_id,
        document_type=command.document_type,
        provider=provider.reads_as,
        language=language,
        size=facts.size,
        unread_characters=source.unread_characters,
        summary=summary,
        key_phrases=key_phrases,
        dates=facts.dates,
        amounts=facts.amounts,
        parties=facts.parties,
        defined_terms=facts.defined_terms,
        left_out=facts.left_out,
    )
    await keep_facts(processed, source, command.kind, run, documents)
    return processed
