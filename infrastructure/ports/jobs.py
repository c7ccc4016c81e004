"""What the jobs themselves call on, beside the store of their rows."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


def object_key(tenant_id: UUID, job_id: UUID, token: UUID) -> str:
    """Where one run's result lies: a late worker has another token, so it can't overwrite what stands."""
    return f"{tenant_id}/{job_id}/{token}"


def job_of(key: str) -> UUID | None:
    """Whose result it is; None for what isn't ours. What a process left unfinished when it died counts as well."""
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
    """Keeps what is too large for a row. Keys are `object_key`'s; every call is Unavailable when the store can't answer,
    and safe to repeat."""

    async def put(self, key: str, content: bytes) -> None:
        """Returns once it would outlive a crash. A reader sees all of it or nothing."""
        ...

    async def read(self, key: str) -> AsyncIterator[bytes] | None:
        """The content, some at a time; None when there is none."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes those that are there."""
        ...

    async def list_after(self, key: str, most: int) -> Sequence[StoredObject]:
        """Up to `most` objects whose keys sort after this one, in the order of their keys."""
        ...
