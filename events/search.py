"""Events of a tenant's documents, and of the index that they are found in."""

from typing import ClassVar

from events.envelope import Commands, DomainEvent
from schemas.model import Model
from schemas.problems import Problem
from schemas.search import (
    IndexDocument,
    IndexDocuments,
    MatchSavedSearches,
    Reindex,
    RollBack,
    UnindexDocument,
)


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


class NotIndexed(Model):
    """A document that couldn't be indexed."""

    document_id: str
    problem: Problem


class DocumentsIndexed(DomainEvent):
    """Of many documents, all that could be indexed are stored and searchable. It doesn't mean that each could be: see
    `failures`."""

    type: ClassVar[str] = "search.documents_indexed"
    result_of: ClassVar[Commands] = (IndexDocuments,)

    indexed: int
    superseded: int = 0
    """Documents whose newer content stands, and of one id in one request all but the last."""
    failed: int = 0
    failures: tuple[NotIndexed, ...] = ()
    """Each document that wasn't indexed, and why. Sending those again is enough."""


class DocumentUnindexed(DomainEvent):
    """The document can't be found any more, though it is still stored. It doesn't mean that it stays so: a later request
    may have indexed it again."""

    type: ClassVar[str] = "search.document_unindexed"
    result_of: ClassVar[Commands] = (UnindexDocument,)

    document_id: str
    version: int
    """The newest that was taken out."""


class Reindexed(DomainEvent):
    """The index was rebuilt from the stored documents, and its new generation answers. It doesn't mean that the one before is
    gone: it can be rolled back to."""

    type: ClassVar[str] = "search.reindexed"
    result_of: ClassVar[Commands] = (Reindex,)

    generation: str
    documents: int
    seconds: float


class RolledBack(DomainEvent):
    """The generation of the index before answers again, with all that was indexed since. It doesn't mean that documents came
    back that were taken out or deleted since."""

    type: ClassVar[str] = "search.rolled_back"
    result_of: ClassVar[Commands] = (RollBack,)

    generation: str


class SavedMatched(DomainEvent):
    """A new document, or a new version of one, matches a saved search, which the version before didn't. Once for each version.
    It doesn't mean that the document is there still. Documents that were indexed before the search was saved, or its query
    changed, are looked at when they are indexed again, and of versions in quick succession the last counts."""

    type: ClassVar[str] = "search.saved_matched"

    name: str
    """The saved search's."""
    document_id: str
    version: int


class SavedSearchesMatched(DomainEvent):
    """Documents that were just indexed were compared with the saved searches. Each match has an event of its own before
    this one, `search.saved_matched`; no match doesn't mean that none of them is in what a saved search finds."""

    type: ClassVar[str] = "search.saved_searches_matched"
    result_of: ClassVar[Commands] = (MatchSavedSearches,)

    documents: int
    """Compared by this job; what is more is compared by one that follows."""
    matches: int
