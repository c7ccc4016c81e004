"""Cuts a stream of chunks into pieces of the sizes that its reader wants."""

from collections.abc import AsyncIterator


class ByteReader:
    """Holds one chunk and one piece at most, however small the chunks are."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    async def take(self, size: int) -> bytearray:
        """The next bytes: so many, or fewer at the stream's end."""
        piece = bytearray()
        while len(piece) < size:
            if not self._rest:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    break
                self._rest = memoryview(chunk)
            wanted = size - len(piece)
            piece += self._rest[:wanted]
            self._rest = self._rest[wanted:]
        return piece
