"""Protocols of indexing and searching documents."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from infrastructure.ports import Unavailable
from schemas.search import Filters, IndexDocument, SearchQuery, SearchResults


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
    updated_at: datetime
    media_type: str | None = None
    pages: int | None = None

    @property
    def characters(self) -> int:
        return len(self.text)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The outcome of storing a document."""

    version: int
    created_at: datetime
    updated_at: datetime
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


class RebuildDiffers(Unavailable):
    """The rebuilt index doesn't answer as the documents or the old one say it must, so the old one stays. The message says
    in what they differ."""


@dataclass(frozen=True, slots=True)
class Page:
    """Results, and where those after them begin."""

    results: SearchResults
    """Without `next_cursor`: whoever hands it out signs it."""
    after: bytes | None = None
    """Given to the next call; an engine's own, of at most 4,000 bytes. None when there is nothing more."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What somebody who began to type may mean."""

    text: str
    document_id: str | None
    """Of the document with this title; None for a word."""
    documents: int
    """How many of those that pass the filters have it."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """A word that the tenant's documents have."""

    word: str
    documents: int
    typos: int
    """One or two: how many letters differ."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """A generation of a tenant's index."""

    name: str
    generation: str
    answers: bool
    """Whether searches are answered from it; of the others, one can be rolled back to."""
    documents: int
    bytes: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A new generation that answers now."""

    generation: str
    documents: int
    seconds: float


class SearchEngine(Protocol):
    """Finds a tenant's documents. One tenant's call never reads or writes another's index. Every call raises Unavailable
    while the engine, or the tenant's index, can't be used; one tenant's trouble isn't another's."""

    async def index(self, tenant_id: UUID, document: IndexedDocument) -> None:
        """Returns once the document can be found, and keeps it across a crash. A version older than the one in the
        index, or deleted from it, is dropped, so repeating is safe and order doesn't matter. Calls at the same time share
        a write. IndexMissing when the tenant has no index yet; Refused for a document that the engine can never take, with
        the reason."""
        ...

    async def delete(self, tenant_id: UUID, document_id: str, version: int) -> None:
        """Returns once neither this version nor an older one can be found; a newer one stays. The index remembers it,
        also when it is rebuilt: whoever indexes such a version later changes nothing. Safe to repeat. IndexMissing when
        the tenant has no index yet, which could remember nothing."""
        ...

    async def search(self, tenant_id: UUID, query: SearchQuery, *, after: bytes | None = None) -> Page:
        """Searches for `query.match`; `text`, `synonyms`, `correct` and `cursor` are its callers' matter. Empty results for
        a tenant without documents. IndexMissing when its index is lost. `after` of a page before goes on behind it; the
        rest of the query must be the same."""
        ...

    async def complete(self, tenant_id: UUID, beginning: str, filters: Filters, *, limit: int) -> Sequence[Completion]:
        """Titles and words that begin so, of documents that pass the filters, the likeliest first. The last word is a
        prefix, the words before it are whole."""
        ...

    async def spellings(self, tenant_id: UUID, words: Sequence[str]) -> Sequence[tuple[int, Sequence[Spelling]]]:
        """For each word: how many documents have it as it is written, and what else it may have been meant to be, the
        likeliest first. Words are folded as the index folds them."""
        ...

    async def visible(self, tenant_id: UUID) -> bytes | None:
        """Changes whenever what a search would answer may have changed, before the write that changed it returns. None when
        that can't be said now: then nothing may be kept."""
        ...

    async def rebuild(
        self,
        tenant_id: UUID,
        documents: AsyncIterator[Sequence[IndexedDocument]],
        *,
        unless_there: bool = False,
        golden: Sequence[SearchQuery] = (),
    ) -> Rebuilt | None:
        """Replaces the tenant's index by a new generation of these documents; the old one answers until then, and takes
        what is written meanwhile, as does the new one. Before the switch the two are compared: counts, ids, and what the
        golden queries find; RebuildDiffers when they don't fit. The old generation is kept to roll back to.

        `unless_there` leaves a usable index as it is and returns None. Safe to repeat.
        """
        ...

    async def roll_back(self, tenant_id: UUID) -> str | None:
        """Lets the generation before answer again, with all that was written since; its name, or None if none is kept."""
        ...

    async def states(self, tenant_id: UUID) -> Sequence[IndexState]:
        """The generations that there are, the one that answers first."""
        ...

    async def remove(self, tenant_id: UUID) -> bool:
        """Removes the tenant's index in all its generations, and returns whether there was one. Safe to repeat."""
        ...
