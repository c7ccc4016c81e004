"""Events of a tenant's documents."""

from typing import ClassVar

from events.envelope import Commands, DomainEvent
from schemas.search import IndexDocument


class DocumentIndexed(DomainEvent):
    """The document is stored and searchable, with the content of this request or of a newer one. It doesn't mean that this
    request's content was stored: see `superseded`."""

    type: ClassVar[str] = "search.document_indexed"
    result_of: ClassVar[Commands] = (IndexDocument,)

    document_id: str
    version: int
    """The version of the current content; incremented whenever the content changes."""
    superseded: bool = False
    """Whether a newer request for the same document had already run, so that this one's content was dropped."""
