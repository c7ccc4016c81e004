"""The places of objects: an object's key in the store says whose it is and what it holds. Called a place here, because most
objects have an encryption key too."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

DOCUMENTS: Final = "documents"


def result_place(tenant_id: UUID, job_id: UUID, token: UUID) -> str:
    """Where one run's result is. It contains the fencing token, so a late worker can't overwrite another run's result."""
    return f"{tenant_id}/{job_id}/{token}"


def job_of(place: str) -> UUID | None:
    """The job whose result is there, unfinished ones too; None for a foreign place."""
    parts = place.partition(".")[0].split("/")
    try:
        _, job_id, _ = map(UUID, parts)
    except ValueError:
        return None
    return job_id


def document_place(tenant_id: UUID, cell: str) -> str:
    """Where a document version's original is, or its long text: `cell` is the version's `cell` or its `text_cell`, a UUIDv7's
    text."""
    # It ends at random, so no folder has more than a small part of a tenant's objects: listing a page doesn't read them all.
    return f"{tenant_id}/{DOCUMENTS}/{str(UUID(cell))[-2:]}/{cell}"


@dataclass(frozen=True, slots=True)
class DocumentObject:
    """What the place of a document's object says."""

    place: str
    tenant_id: UUID
    cell: str | None
    """None for one that was never finished."""


def document_object(place: str) -> DocumentObject | None:
    """None for the place of anything else."""
    tenant_id, documents, rest = place.partition(f"/{DOCUMENTS}/")
    if not documents:
        return None
    try:
        return DocumentObject(place, UUID(tenant_id), _cell_of(rest))
    except ValueError:
        return None


def _cell_of(rest: str) -> str | None:
    cell, unfinished, _ = rest.rpartition("/")[2].partition(".")
    named = str(UUID(cell))
    return None if unfinished else named
