"""Protocols of jobs beside their rows: the object store."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


def object_key(tenant_id: UUID, job_id: UUID, token: UUID) -> str:
    """The key of one run's result. It contains the fencing token, so a late worker can't overwrite another run's
    result."""
    return f"{tenant_id}/{job_id}/{token}"


def job_of(key: str) -> UUID | None:
    """The job whose result this key holds, unfinished ones too; None for a foreign key."""
    parts = key.partition(".")[0].split("/")
    try:
        _, job_id, _ = map(UUID, parts)
    except ValueError:
        return None
    return job_id


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    written_at: datetime


class ObjectStore(Protocol):
    """Stores results too large for a row, under keys of `object_key`. Every call raises Unavailable when the store
    can't be used, and is safe to repeat."""

    async def put(self, key: str, content: bytes) -> None:
        """Stores the content atomically; returns once it is durable."""
        ...

    async def read(self, key: str) -> AsyncIterator[bytes] | None:
        """The content in chunks; None when there is no such object."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Deletes the objects; missing ones are ignored."""
        ...

    async def list_after(self, key: str, most: int) -> Sequence[StoredObject]:
        """Up to `most` objects whose keys sort after this one, in the order of their keys."""
        ...
