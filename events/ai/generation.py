"""What writing a document ends with, and what happens on the way."""

from typing import Annotated, ClassVar

from pydantic import Field

from events.ai.facts import Count
from events.ai.provenance import Provenance, Provider
from events.envelope import Commands, DomainEvent
from schemas.ai.generation import GenerateDocument, Tone, WritingLanguage
from schemas.documents import DocumentRef
from schemas.model import Model


class GeneratedSection(Model):
    heading: str
    text: str


class Writing(Model):
    """A filled template."""

    sections: tuple[GeneratedSection, ...]
    unused_facts: tuple[str, ...]
    tone_applied: bool


class DocumentGenerated(DomainEvent):
    """A document was generated. It doesn't mean that it was stored anywhere except in this job's result."""

    type: ClassVar[str] = "ai.document_generated"
    result_of: ClassVar[Commands] = (GenerateDocument,)

    title: str
    document_id: str | None
    provider: Provider
    language: WritingLanguage
    tone: Tone | None
    """Null when the template has one wording only, so that the tone asked for changed nothing."""
    document: str
    """The whole, as Markdown."""
    sections: tuple[GeneratedSection, ...]
    unused_facts: tuple[str, ...]
    """Given facts that the wording never mentions."""
    unread_characters: Count = 0
    """Of the inputs, at their ends, that a call had no room for."""
    stored: DocumentRef | None = None
    """The version that it was stored as, if the command asked for that."""
    provenance: Provenance = Provenance()


class SectionCompleted(DomainEvent):
    """A section is written and kept: whatever happens to the worker, it isn't written or paid for again. It doesn't mean that
    the document is complete."""

    type: ClassVar[str] = "ai.section_completed"

    section: Count
    """From 0, in the document's order."""
    of: Count
    """How many there are; 0 while that isn't known."""
    heading: str
    text: str
    """As it was shown while it was written; in the document its own headings stand below the section's."""
    model: str


class SectionReset(DomainEvent):
    """What was published of a section so far doesn't count any more: its model failed or its run ended, and the section is
    written anew from its beginning. It doesn't mean that the job failed, nor that anything was published of it."""

    type: ClassVar[str] = "ai.section_reset"

    section: Count
    error: str
    """The class of the failure, such as `cut_short`; `interrupted` when the run before ended in the middle of it."""
    model: str
    """That failed; empty after `interrupted`."""


class TextWritten(DomainEvent):
    """A piece of a section as a model writes it. Sent live while somebody listens and never stored: a piece may be missing,
    and `ai.section_completed` has the whole. It doesn't mean that the section succeeds."""

    type: ClassVar[str] = "ai.delta"

    section: Count
    offset: Count
    """Where in the section the piece begins, in Unicode code points."""
    text: str
    attempt: Annotated[int, Field(ge=1)]
    """Of the job. Each writes its unfinished sections anew."""
    resets: Count
    """How often the section was reset in this attempt so far. What came with fewer resets, or of an earlier attempt, doesn't
    count any more; this may come a moment before its `ai.section_reset`."""
