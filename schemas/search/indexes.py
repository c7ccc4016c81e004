"""A tenant's index, as it is shown."""

from datetime import datetime
from uuid import UUID

from schemas.model import Model


class IndexGeneration(Model):
    """The index as one reindexing built it."""

    name: str
    generation: str
    answers: bool
    """Whether searches are answered from it; to another one can be rolled back."""
    documents: int
    bytes: int
    created_at: datetime


class Indexes(Model):
    """The one that answers comes first. Empty until a first document is indexed."""

    indexes: tuple[IndexGeneration, ...]


class IndexRemoval(Model):
    """A document that is to be found no more, and the job that takes it out of the index."""

    id: str
    job_id: UUID
