"""Protocols of indexing and searching documents."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from infrastructure.ports import Unavailable
from schemas.search import IndexDocument, SearchQuery, SearchResults


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document for a search index."""

    document_id: str
    version: int
    title: str = field(repr=False)
    text: str = field(repr=False)
    document_type: str
    industry: str | None
    language: str | None
    tags: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The outcome of storing a document."""

    version: int
    created_at: datetime
    superseded: bool
    """A newer job's content stands, and this one's was dropped."""


class Documents(Protocol):
    """The tenants' documents, with sealed texts: the source of truth of every index."""

    async def store(self, tenant_id: UUID, job_id: UUID, document: IndexDocument) -> StoredDocument:
        """Stores the content unless a newer job's stands. Repeating it for the same job changes nothing."""
        ...

    def all_of(self, tenant_id: UUID) -> AsyncIterator[Sequence[IndexedDocument]]:
        """Every document of the tenant that was to be indexed and wasn't deleted, in batches."""
        ...


class IndexMissing(Unavailable):
    """The tenant has documents but no index. Rebuild it from them."""


class SearchEngine(Protocol):
    """Finds a tenant's documents. One tenant's call never reads or writes another's index."""

    async def index(self, tenant_id: UUID, document: IndexedDocument) -> None:
        """Returns once the document can be found, and keeps it across a crash. A version older than the one in the
        index, or deleted from it, is dropped, so repeating is safe and order doesn't matter. IndexMissing when the
        tenant has no index yet."""
        ...

    async def delete(self, tenant_id: UUID, document_id: str, version: int) -> None:
        """Returns once neither this version nor an older one can be found; a newer one stays. The index remembers it,
        also when it is rebuilt: whoever indexes such a version later changes nothing. Safe to repeat. IndexMissing when
        the tenant has no index yet, which could remember nothing."""
        ...

    async def search(self, tenant_id: UUID, query: SearchQuery) -> SearchResults:
        """Searches; empty results for a tenant without documents. IndexMissing when its index is lost."""
        ...

    async def rebuild(
        self, tenant_id: UUID, documents: AsyncIterator[Sequence[IndexedDocument]], *, unless_there: bool = False
    ) -> None:
        """Replaces the tenant's index by one of these documents; the old one answers until then.

        `unless_there` leaves a usable index as it is. Safe to repeat.
        """
        ...

    async def remove(self, tenant_id: UUID) -> bool:
        """Removes the tenant's index, and returns whether there was one. Safe to repeat."""
        ...
