"""Protocols of documents: what jobs read of them, and what they add to them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.extraction import Extracted
from schemas.documents import DocumentFields, DocumentRef, IngestionProfile, VersionState
from schemas.problems import Problem


@dataclass(frozen=True, slots=True)
class VersionDetails:
    """A version, and what is said about its document now."""

    document_id: str
    version: int
    state: VersionState
    is_current: bool
    is_deleted: bool
    """Whether the document was deleted since this version."""
    media_type: str
    file_name: str | None
    title: str = field(repr=False)
    document_type: str
    industry: str | None
    language: str | None
    """As its author says, or as it was detected."""
    tags: tuple[str, ...]
    created_at: datetime
    """The document's."""
    updated_at: datetime
    characters: int | None = None
    """Of the text; None until it was imported, as is the number of pages for formats without them."""
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """A version's original: its bytes, opened as they are read."""

    size_bytes: int
    chunks: AsyncIterator[bytes]
    is_text: bool = False
    """Whether it came as text, of which nothing is to be extracted: the bytes are that text in UTF-8."""


@dataclass(frozen=True, slots=True)
class NewText:
    """A text that a job has written, to be stored."""

    document_id: str
    text: str = field(repr=False)
    media_type: str
    fields: DocumentFields = field(repr=False)


class DocumentStore(Protocol):
    """The tenants' documents. Every call raises Unavailable when a store can't be used, and is safe to repeat.

    A reference without a version means the current one. What isn't there, or was deleted, is None.
    """

    async def details(self, tenant_id: UUID, ref: DocumentRef) -> VersionDetails | None: ...

    async def original(self, tenant_id: UUID, ref: DocumentRef) -> Original | None:
        """The original as it was sent; of a version that came as text, that text in UTF-8."""
        ...

    async def text(self, tenant_id: UUID, ref: DocumentRef) -> str | None:
        """The text of a version that was imported."""
        ...

    async def add(self, tenant_id: UUID, new: NewText, *, job_id: UUID) -> DocumentRef:
        """Stores the text as a new document, or as a new version of the one of this id, with the job that imports it; returns
        that version. Once for each job: later calls return what the first one stored. Raises QuotaExceeded when the tenant
        may store no more, and Refused when what was stored is gone again."""
        ...

    async def imported(self, tenant_id: UUID, ref: DocumentRef, extracted: Extracted) -> VersionDetails | None:
        """Stores what was extracted, and makes the version current unless a newer one is, or the document was deleted
        since. Of two concurrent calls one stores. Raises QuotaExceeded when the tenant may store no more."""
        ...

    async def failed(self, tenant_id: UUID, ref: DocumentRef, problem: Problem) -> None:
        """Says that the version can't be imported, and why."""
        ...

    async def add_facts(
        self, tenant_id: UUID, ref: DocumentRef, *, job_id: UUID, kind: str, facts: dict[str, Any]
    ) -> None:
        """Keeps what a job found in the version; once for each job."""
        ...

    async def profile(self, tenant_id: UUID, name: str) -> IngestionProfile: ...

    async def remove(self, tenant_id: UUID, ref: DocumentRef) -> bool:
        """Removes the contents of the version and of all before it, for good, and frees what they counted as stored. False
        when a newer version is there, which stays."""
        ...


async def read_text(store: DocumentStore, tenant_id: UUID, ref: DocumentRef) -> tuple[VersionDetails, str]:
    """The version and its text, for a job that refers to it. Raises Refused for good when it was deleted or can't be read,
    and Unavailable while it is being imported."""
    details = await store.details(tenant_id, ref)
    if details is None or details.is_deleted:
        raise Refused(gone(ref))
    pinned = DocumentRef(id=details.document_id, version=details.version)
    match details.state:
        case VersionState.IMPORTING:
            raise Unavailable(f"version {details.version} of the document is still being imported")
        case VersionState.FAILED:
            raise Refused(unread(pinned))
    text = await store.text(tenant_id, pinned)
    if text is None:  # It was deleted in between.
        raise Refused(gone(pinned))
    return details, text


def gone(ref: DocumentRef) -> Problem:
    version = "" if ref.version is None else f"version {ref.version} of "
    detail = f"There is no {version}document '{ref.id}', or not any more. Refer to one that is there."
    return Problem.of("document-gone", "The document isn't there", 410, detail)


def unread(ref: DocumentRef) -> Problem:
    detail = (
        f"Version {ref.version} of '{ref.id}' couldn't be imported: its own problem says why. Refer to another version."
    )
    return Problem.of("document-unread", "The document has no text", 422, detail)
