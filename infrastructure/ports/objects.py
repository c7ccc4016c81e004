"""Protocol of the object store: what is too large for a row."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class TooLarge(Exception):
    """A stream had more bytes than it may have. Nothing of it is stored; send less, or raise the limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the content has more than {max_bytes} bytes")
        self.max_bytes = max_bytes


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    written_at: datetime


class ObjectStore(Protocol):
    """Stores objects under the keys that `infrastructure.object_store.keys` makes. Every call raises Unavailable when the
    store can't be used, and is safe to repeat."""

    async def put(self, key: str, content: bytes) -> None:
        """Stores the content atomically; returns once it is durable."""
        ...

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Stores the chunks, one after another, as one object, atomically and in bounded memory; returns once it is durable.

        Nothing is stored, and nothing is left behind, when this is cancelled or the iterator raises, which is raised here
        again; only a store that can't be asked any more may keep what it was sent. What a killed process leaves is listed
        like an object, or out of sight: see the adapter.
        """
        ...

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None] | None:
        """The content's bytes from `start` to before a later `end`, in chunks; fewer where the object ends earlier. None
        when there is no such object. Close it unless you read it to its end."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Deletes the objects; missing ones are ignored."""
        ...

    async def list_after(self, key: str, most: int) -> Sequence[StoredObject]:
        """Up to `most` objects whose keys sort after this one, in the order of their keys."""
        ...
