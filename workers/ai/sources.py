"""The text that a command of the AI pool is about: its own, or a stored document's."""

from dataclasses import dataclass, field
from uuid import UUID

from events.envelope import DomainEvent
from infrastructure.ports.documents import DocumentStore, read_text
from kinds.run import Run
from schemas.ai import MAX_READ_CHARACTERS, AnalyzeContent, ProcessDocument
from schemas.documents import DocumentRef


@dataclass(frozen=True, slots=True)
class Source:
    """A text that is read, and what is known of it."""

    text: str = field(repr=False)
    title: str = field(repr=False)
    language: str | None
    document_id: str | None
    stored: DocumentRef | None = None
    """The version that it is the text of; None for a text that the command brought along."""
    unread_characters: int = 0
    """At its end, beyond the most that is read."""


async def source_of(command: ProcessDocument | AnalyzeContent, tenant_id: UUID, documents: DocumentStore) -> Source:
    """What the command reads. Raises Refused when its document isn't there any more."""
    title = command.title if isinstance(command, ProcessDocument) else None
    if command.document is None:
        assert command.text is not None, "guaranteed by the command's validator"
        return Source(command.text, title or "", command.language, command.document_id)
    details, text = await read_text(documents, tenant_id, command.document)
    return Source(
        text[:MAX_READ_CHARACTERS],
        title or details.title,
        command.language or details.language,
        details.document_id,
        DocumentRef(id=details.document_id, version=details.version),
        max(len(text) - MAX_READ_CHARACTERS, 0),
    )


async def reference_of(command: AnalyzeContent, tenant_id: UUID, documents: DocumentStore) -> tuple[str, int]:
    """What the command's text is compared with, and how many characters at its end are left out."""
    if command.reference_document is None:
        assert command.reference is not None, "guaranteed by the command's validator"
        return command.reference, 0
    _, text = await read_text(documents, tenant_id, command.reference_document)
    return text[:MAX_READ_CHARACTERS], max(len(text) - MAX_READ_CHARACTERS, 0)


async def keep_facts(found: DomainEvent, source: Source, kind: str, run: Run, documents: DocumentStore) -> None:
    """Keeps what was found with the version that it was found in, if that is stored. Safe to repeat."""
    if source.stored is not None:
        facts = found.model_dump(mode="json")
        await documents.add_facts(run.tenant_id, source.stored, job_id=run.job_id, kind=kind, facts=facts)
