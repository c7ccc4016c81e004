"""Protocols of indexing and searching documents."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from infrastructure.ports import Refused, Unavailable
from schemas.documents import DocumentRef
from schemas.search import Filters, SearchQuery, SearchResults, SentDocument


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
    removals: int = 0
    """How often the document had been taken out of the index before: of one version, what was put in later counts."""

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
    removals: int = 0


@dataclass(frozen=True, slots=True)
class Marked:
    """The outcome of noting that a stored document is to be found."""

    version: int
    superseded: bool
    """It isn't the current version any more, or a newer job took the document out of the index."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document whose text can't be opened."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How documents are to be found now."""

    documents: Mapping[str, IndexedDocument]
    """By id, with the texts of those that were asked about. None of one that is to be found in another version, or not at
    all."""
    has_saved_searches: bool


class Documents(Protocol):
    """The tenants' documents, with sealed texts: the source of truth of every index. Every call raises Unavailable when a
    store can't be used, and is safe to repeat. Ids in one call are distinct."""

    async def store(
        self, tenant_id: UUID, job_id: UUID, documents: Sequence[SentDocument]
    ) -> Sequence[StoredDocument | Refused]:
        """Stores each content unless a newer job's stands; Refused for what the tenant has no room for. Repeating it for
        the same job changes nothing."""
        ...

    async def mark(
        self, tenant_id: UUID, job_id: UUID, refs: Sequence[DocumentRef]
    ) -> Sequence[Marked | Refused | Unavailable]:
        """Notes that stored documents are to be found. Refused for one that isn't there or has no text, Unavailable while it
        is being imported."""
        ...

    def of(self, tenant_id: UUID, document_ids: Sequence[str]) -> AsyncIterator[Sequence[IndexedDocument | Unreadable]]:
        """Those of these documents that are to be found, in batches."""
        ...

    async def standing(self, tenant_id: UUID, documents: Sequence[IndexedDocument]) -> Standing:
        """How these are to be found now: what is said about a document changes without a new version."""
        ...

    def all_of(self, tenant_id: UUID) -> AsyncIterator[Sequence[IndexedDocument]]:
        """Every document of the tenant that is to be found, in batches. One that can't be opened is left out."""
        ...

    async def count(self, tenant_id: UUID) -> int:
        """How many documents `all_of` brings."""
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


class SearchIndex(SearchEngine, Protocol):
    """A SearchEngine whose documents can be taken out and put in again."""

    async def take_out(self, tenant_id: UUID, document_id: str, version: int, removals: int) -> None:
        """As `delete`, for a document that stays stored: what is indexed of it with more `removals` can be found, in this
        version too."""
        ...
