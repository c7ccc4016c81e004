"""Handles GenerateDocument: writes one document."""

from collections.abc import Sequence

from events.ai import DocumentGenerated, GeneratedSection
from infrastructure.ports.ai.text import TextProvider
from kinds.run import Run
from schemas.ai import GenerateDocument


async def generate_document(command: GenerateDocument, run: Run, *, provider: TextProvider) -> DocumentGenerated:
    """The document as Markdown. Raises Refused, naming them, when facts that its wording needs are missing. Safe to repeat."""
    run.progress(0.1, "filling the sections")
    writing = await provider.write(command)
    run.progress(0.9, "putting the document together")
    return DocumentGenerated(
        title=command.title,
        document_id=command.document_id,
        provider=provider.writes_as,
        language=command.language,
        tone=command.tone if writing.tone_applied else None,
        document=_markdown(command.title, writing.sections),
        sections=writing.sections,
        unused_facts=writing.unused_facts,
    )


def _markdown(title: str, sections: Sequence[GeneratedSection]) -> str:
    parts = [f"# {' '.join(title.split())}"]
    for section in sections:
        parts += [f"## {section.heading}", section.text]
    return "\n\n".join(part for part in parts if part) + "\n"
