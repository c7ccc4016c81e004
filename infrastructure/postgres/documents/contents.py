"""Opens what versions hold, originals and texts, from their rows or their objects."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from infrastructure.key_vault.cells import original_key_cell, text_cell, text_key_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.object_store.places import document_place
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports.keys import Sealer
from schemas.documents import VersionState


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Where a version's original and text are, and what they are sealed with."""

    document_id: str
    version: int
    cell: str
    state: VersionState
    media_type: str
    file_name: str | None = field(repr=False)
    size_bytes: int
    digest: bytes
    original_key: Sealed | None
    text: Sealed | None
    text_cell: str | None
    text_key: Sealed | None
    text_bytes: int | None
    """Of the text in UTF-8, where it is an object: it takes that to open one."""
    outline: Sealed | None
    characters: int | None

    @property
    def is_text(self) -> bool:
        """Whether it came as text, which is its original then."""
        return self.original_key is None


COLUMNS = tuple(StoredContent.__dataclass_fields__)
"""Of `document_versions`, in the order of the fields."""
_SEALED = frozenset({"original_key", "text", "text_key", "outline"})


def content_of(values: tuple[Any, ...]) -> StoredContent:
    """From a row of COLUMNS."""
    named = dict(zip(COLUMNS, values, strict=True))
    opaque = {name: None if named[name] is None else Sealed(named[name]) for name in _SEALED}
    return StoredContent(**{**named, **opaque, "state": VersionState(named["state"])})


class Contents:
    """Opens contents. Every call raises DecryptionFailed when something isn't as it was stored, and Unavailable when a store
    can't be used. None means that its object is gone: the version was removed meanwhile."""

    def __init__(self, sealer: Sealer, objects: SealedObjects) -> None:
        self._sealer = sealer
        self._objects = objects

    async def original(
        self, tenant_id: UUID, content: StoredContent, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes] | None:
        """The original's bytes from `start` to before `end`, in chunks."""
        if content.original_key is None:
            if content.text is None:
                return None
            whole = (await self._sealer.open(text_cell(tenant_id, content.cell), content.text)).encode()
            return _single(whole[start:end])
        key = await self._sealer.open_bytes(original_key_cell(tenant_id, content.cell), content.original_key)
        place = document_place(tenant_id, content.cell)
        return await self._objects.read(place, key, size_bytes=content.size_bytes, start=start, end=end)

    async def text(self, tenant_id: UUID, content: StoredContent) -> str | None:
        """The text; None also while the version isn't imported."""
        if content.state is not VersionState.READY:
            return None
        if content.text is not None:
            return await self._sealer.open(text_cell(tenant_id, content.cell), content.text)
        chunks = await self.long_text(tenant_id, content)
        return None if chunks is None else b"".join([chunk async for chunk in chunks]).decode()

    async def long_text(
        self, tenant_id: UUID, content: StoredContent, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes] | None:
        """Of a text that is an object, the bytes from `start` to before `end`, in chunks."""
        if content.text_key is None or content.text_cell is None or content.text_bytes is None:
            return None
        key = await self._sealer.open_bytes(text_key_cell(tenant_id, content.cell), content.text_key)
        place = document_place(tenant_id, content.text_cell)
        return await self._objects.read(place, key, size_bytes=content.text_bytes, start=start, end=end)


async def _single(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk
