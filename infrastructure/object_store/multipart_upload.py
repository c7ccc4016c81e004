"""Uploads a stream to S3, in parts if it is long: all of it becomes the object at once, or nothing does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any, Self, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from infrastructure.object_store.byte_reader import ByteReader

PART_BYTES = 5 * 1_024 * 1_024
"""The least that S3 takes as a part, unless it is the last: more of it would only be held in memory."""
PARTS_IN_FLIGHT = 1
PIECE_BYTES = 256 * 1_024


class UploadFailed(Exception):
    """The store failed; nothing of the upload is left there, unless it can't even be asked to abort it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


async def upload(store: S3Store, key: str, chunks: AsyncIterator[bytes], *, abort_seconds: float) -> None:
    """Stores the chunks as one object; in parts, if they are more than one. Takes it back when this is cancelled or the
    iterator raises, and waits so long for that. At most PARTS_IN_FLIGHT parts and an unfinished one are in memory."""
    rest = ByteReader(chunks)
    first = bytes(await rest.take(PART_BYTES))
    pieces = _Pieces()
    # Its stub says that it is a coroutine; it is a future, under way from here on.
    storing = cast("asyncio.Future[Any]", _begun(store, key, first, pieces))
    storing.add_done_callback(pieces.stop)
    try:
        if len(first) == PART_BYTES:
            await _hand_over(pieces, first, rest)
        await _stored(storing)
    except BaseException:
        # The library aborts an upload whose pieces can't be had, but not one that is cancelled: so it never is.
        pieces.fail()
        await asyncio.wait([storing], timeout=abort_seconds)
        if storing.done() and storing.exception() is None:  # It had all of it already.
            await obstore.delete_async(store, key)
        raise


def _begun(store: S3Store, key: str, first: bytes, pieces: "_Pieces") -> Awaitable[Any]:
    if len(first) < PART_BYTES:
        return obstore.put_async(store, key, first, use_multipart=False)
    return obstore.put_async(
        store, key, pieces, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_IN_FLIGHT
    )


async def _hand_over(pieces: "_Pieces", first: bytes, rest: ByteReader) -> None:
    piece = first
    while piece and not pieces.is_stopped:
        await pieces.put(piece)
        piece = bytes(await rest.take(PIECE_BYTES))
    await pieces.put(StopAsyncIteration())


async def _stored(storing: "asyncio.Future[Any]") -> None:
    try:
        await asyncio.shield(storing)
    except (BaseError, OSError) as error:
        raise UploadFailed(error) from None


class _GivenUp(Exception):
    """Whoever brings the object's pieces stopped."""


class _Pieces:
    """Hands pieces to the library, which asks for them by iteration. Each waits until the one before it was taken."""

    def __init__(self) -> None:
        self._next: asyncio.Queue[bytes | Exception] = asyncio.Queue(maxsize=1)
        self.is_stopped = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._next.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def put(self, piece: bytes | Exception) -> None:
        if not self.is_stopped:
            await self._next.put(piece)

    def fail(self) -> None:
        """Raises where the next piece is awaited."""
        self._make_room()
        self._next.put_nowait(_GivenUp())

    def stop(self, storing: "asyncio.Future[Any]") -> None:
        """Nobody asks any more, as the upload has ended."""
        self.is_stopped = True
        self._make_room()
        if not storing.cancelled():
            storing.exception()  # Read here, for when it is of no interest: its caller raises another.

    def _make_room(self) -> None:
        with suppress(asyncio.QueueEmpty):
            self._next.get_nowait()
