"""What happens to a tenant's documents."""

from typing import ClassVar

from events.envelope import DomainEvent


class DocumentIndexed(DomainEvent):
    """The document is stored and searchable, by this request or by a newer one that came before it. It doesn't mean that
    what this request brought is what is found: see `superseded`."""

    type: ClassVar[str] = "search.document_indexed"

    document_id: str
    version: int
    """Of the content that stands now; it rises with every new content of this document."""
    superseded: bool = False
    """A newer request for the same document had been carried out already, so this one's content was dropped."""
