"""Events of documents."""

from typing import ClassVar

from events.envelope import Commands, DomainEvent
from schemas.documents import ImportDocument, RemoveDocument


class DocumentImported(DomainEvent):
    """A version's text was read and stored. It doesn't mean that the document can be found yet: indexing is a job of its
    own."""

    type: ClassVar[str] = "documents.imported"
    result_of: ClassVar[Commands] = (ImportDocument,)

    document_id: str
    version: int
    current: bool
    """Whether it is what is read from now on. It isn't where a newer version was imported first, or the document was
    deleted."""
    media_type: str
    language: str
    characters: int
    pages: int | None = None


class DocumentVersionAdded(DomainEvent):
    """A version after a document's first was accepted; fires as it is stored, in the timeline of the job that imports it. It
    doesn't mean that it was read, or ever will be: until `documents.imported` the version before it is read. A document's
    first version doesn't fire it, and neither does an upload that changes nothing."""

    type: ClassVar[str] = "documents.version_added"

    document_id: str
    version: int


class DocumentDeleted(DomainEvent):
    """A document's contents were removed, and it can't be found any more. It doesn't mean that the id is free: its version
    numbers are remembered, and a new version goes on counting."""

    type: ClassVar[str] = "documents.deleted"
    result_of: ClassVar[Commands] = (RemoveDocument,)

    document_id: str
    version: int
