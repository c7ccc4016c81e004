"""Stores what was written as a document."""

import asyncio
from dataclasses import replace

from infrastructure.ports.documents import DocumentStore, NewText
from infrastructure.ports.extraction import DocumentFormat
from kinds.run import Run
from schemas.ai import GenerateDocument, StoreAs
from schemas.documents import DocumentFields, DocumentRef


async def stored_as_document(
    command: GenerateDocument, wanted: StoreAs, text: str, run: Run, documents: DocumentStore
) -> DocumentRef:
    """The stored version, which can be read at once; its import job indexes it as the tenant's default profile says. Once for
    each job. Raises QuotaExceeded when the tenant may store no more."""
    from infrastructure.extraction.sent_text import as_extracted  # It takes the language detector along.

    fields = DocumentFields(
        title=command.title,
        document_type=wanted.document_type,
        industry=wanted.industry,
        # What a model writes may be in another language than the command's: its import tells.
        language=None if command.prompt else command.language.value,
        tags=wanted.tags,
    )
    new = NewText(wanted.id or str(run.job_id), text, DocumentFormat.MARKDOWN.media_type, fields)
    stored = await documents.add(run.tenant_id, new, job_id=run.job_id)
    extracted = replace(await asyncio.to_thread(as_extracted, text), format=DocumentFormat.MARKDOWN)
    await documents.imported(run.tenant_id, stored, extracted)
    return stored
