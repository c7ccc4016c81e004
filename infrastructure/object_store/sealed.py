"""Sealed objects: each encrypted under a key of its own while it is written, and opened while it is read. The store holds
ciphertext only."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256

from infrastructure.key_vault.sealed import DecryptionFailed
from infrastructure.key_vault.sealed_stream import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    StreamOpener,
    StreamSealer,
    last_chunk,
    new_key,
    offset_of,
    sealed_bytes,
)
from infrastructure.object_store.byte_reader import ByteReader
from infrastructure.ports.objects import ObjectStore, TooLarge


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """An object as it was written. Whoever keeps its key and its size can read it; keep the key sealed."""

    size_bytes: int
    """Of the plaintext."""
    stored_bytes: int
    digest: bytes
    """SHA-256 of the plaintext."""
    key: bytes = field(repr=False)


class SealedObjects:
    """Reads and writes sealed objects of any size in bounded memory.

    A place names its tenant (`infrastructure.object_store.places`) and is authenticated: an object that was moved to another
    place doesn't open there.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def write(self, place: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> WrittenObject:
        """Seals the chunks as they come; returns once the object is durable. Not to be called twice for a place: what
        another caller wrote there can't be read any more.

        Raises TooLarge as soon as there are more than `max_bytes`, Unavailable when the store can't be used, and what the
        iterator raises; then nothing is stored.
        """
        stream = _SealedStream(place, chunks, max_bytes)
        async with aclosing(stream.sealed()) as sealed:
            await self._objects.put_stream(place, sealed)
        return stream.written()

    async def read(
        self, place: str, key: bytes, *, size_bytes: int, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None] | None:
        """The plaintext from `start` to before `end`, in chunks; None when there is no such object. `size_bytes` is the whole
        object's, as it was written.

        DecryptionFailed, here or from the iterator, when the key is another's or the object isn't as it was written; the
        bytes that came before are sound. Unavailable when the store can't be used.
        """
        chunks = _Chunks(size_bytes, start, size_bytes if end is None else min(end, size_bytes))
        sealed = await self._objects.read(place, 0, HEADER_BYTES if chunks.first else chunks.stop_at)
        if sealed is None:
            return None
        reader = ByteReader(sealed)
        try:
            opener = StreamOpener(key, place, await reader.take(HEADER_BYTES))
        except BaseException:
            await sealed.aclose()
            raise
        if chunks.first:
            await sealed.aclose()
            sealed = await self._objects.read(place, offset_of(chunks.first), chunks.stop_at)
            if sealed is None:
                return None
            reader = ByteReader(sealed)
        return _opened(sealed, reader, opener, chunks)

    async def delete(self, places: Sequence[str]) -> None:
        """Deletes the objects; missing ones are ignored."""
        await self._objects.delete(places)


class _SealedStream:
    def __init__(self, place: str, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._key = new_key()
        self._sealer = StreamSealer(self._key, place)
        self._hash = sha256()
        self._size_bytes = 0

    async def sealed(self) -> AsyncGenerator[bytes, None]:
        yield self._sealer.header
        reader = ByteReader(self._bounded())
        plaintext, number = await reader.take(CHUNK_BYTES), 0
        while True:
            following = await reader.take(CHUNK_BYTES)
            # A chunk takes so little time that handing it to a thread would take more.
            self._hash.update(plaintext)
            yield self._sealer.seal(number, plaintext, last=not following)
            if not following:
                return
            plaintext, number = following, number + 1

    async def _bounded(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self._size_bytes += len(chunk)
            if self._size_bytes > self._max_bytes:
                raise TooLarge(self._max_bytes)
            yield chunk

    def written(self) -> WrittenObject:
        return WrittenObject(self._size_bytes, sealed_bytes(self._size_bytes), self._hash.digest(), self._key)


class _Chunks:
    """Which chunks of an object have the bytes from `start` to before `end`."""

    def __init__(self, size_bytes: int, start: int, end: int) -> None:
        if not 0 <= start <= end:
            raise ValueError(f"no range of an object of {size_bytes} bytes goes from {start} to {end}")
        self.start, self.end, self.size_bytes = start, end, size_bytes
        self.last_of_all = last_chunk(size_bytes)
        self.last = min(max(end - 1, 0) // CHUNK_BYTES, self.last_of_all)
        self.first = min(start // CHUNK_BYTES, self.last)

    @property
    def stop_at(self) -> int | None:
        """Where the sealed chunks end. None for the object's end, with whatever is behind its last chunk: that mustn't go
        unnoticed."""
        return None if self.last == self.last_of_all else offset_of(self.last + 1)


async def _opened(
    sealed: AsyncGenerator[bytes, None], reader: ByteReader, opener: StreamOpener, chunks: _Chunks
) -> AsyncGenerator[bytes, None]:
    async with aclosing(sealed):
        for number in range(chunks.first, chunks.last + 1):
            is_last = number == chunks.last_of_all
            begins = number * CHUNK_BYTES
            plaintext = opener.open(number, await reader.take(SEALED_CHUNK_BYTES), last=is_last)
            if is_last and (begins + len(plaintext) != chunks.size_bytes or await reader.take(1)):
                raise DecryptionFailed
            if wanted := plaintext[max(chunks.start - begins, 0) : chunks.end - begins]:
                yield wanted
