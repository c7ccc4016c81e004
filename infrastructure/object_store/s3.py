"""Objects in an S3-compatible store."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from infrastructure.object_store.byte_reader import ByteReader
from infrastructure.ports import Unavailable
from infrastructure.ports.objects import StoredObject
from infrastructure.settings import Settings, SettingsInvalid

CHUNK_BYTES = 256 * 1_024
PIECE_BYTES = 256 * 1_024
PART_BYTES = 5 * 1_024 * 1_024
"""The least that S3 takes as a part, unless it is the last: more of it would only be held in memory."""
PARTS_IN_FLIGHT = 1
ANSWER_SECONDS = 30
CONNECT_SECONDS = 5
RETRIES = 2


@dataclass(frozen=True, slots=True)
class Address:
    bucket: str
    prefix: str
    region: str
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)


def address_from(settings: Settings) -> Address:
    """Parses the bucket's address. SettingsInvalid when the URL isn't an S3 one."""
    parts = urlsplit(settings.object_store_url or "")
    if parts.scheme != "s3" or not parts.netloc:
        raise SettingsInvalid("OBJECT_STORE_URL can't be used: write s3://bucket/prefix")
    access, secret = settings.object_store_access_key, settings.object_store_secret_key
    return Address(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        region=settings.object_store_region,
        endpoint=settings.object_store_endpoint,
        access_key=None if access is None else access.get_secret_value(),
        secret_key=None if secret is None else secret.get_secret_value(),
    )


class S3ObjectStore:
    """Objects in a bucket, below a prefix if one is set. Results quote documents: enable the bucket's encryption."""

    def __init__(self, address: Address) -> None:
        given: dict[str, Any] = {
            "region": address.region,
            "endpoint": address.endpoint,
            "access_key_id": address.access_key,
            "secret_access_key": address.secret_key,
        }
        self._store = S3Store(
            address.bucket,
            prefix=address.prefix or None,
            config={name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]  # only what is set
            client_options={
                "timeout": timedelta(seconds=ANSWER_SECONDS),
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "allow_http": (address.endpoint or "").startswith("http://"),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=ANSWER_SECONDS)},
        )

    async def put(self, key: str, content: bytes) -> None:
        try:
            await obstore.put_async(self._store, key, content)
        except (BaseError, OSError) as error:
            raise _away(error) from None

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        reader = ByteReader(chunks)
        first = bytes(await reader.take(PART_BYTES))
        if len(first) < PART_BYTES:
            await self.put(key, first)
        else:
            await self._put_parts(key, first, reader)

    async def _put_parts(self, key: str, first: bytes, reader: ByteReader) -> None:
        pieces = _Pieces()
        # Its stub says that it is a coroutine; it is a future, under way from here on.
        upload = cast(
            "asyncio.Future[Any]",
            obstore.put_async(
                self._store, key, pieces, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_IN_FLIGHT
            ),
        )
        upload.add_done_callback(pieces.stop)
        try:
            piece = first
            while piece and not upload.done():
                await pieces.put(piece)
                piece = bytes(await reader.take(PIECE_BYTES))
            await pieces.put(StopAsyncIteration())
            await _ended(upload)
        except BaseException:
            # The library aborts an upload whose pieces can't be had, but not one that is cancelled: so it never is.
            pieces.fail()
            await asyncio.wait([upload], timeout=ANSWER_SECONDS)
            raise

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None] | None:
        try:
            found = await obstore.get_async(self._store, key, options=_range(start, end))
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _away(error) from None
        return _chunks(found)

    async def delete(self, keys: Sequence[str]) -> None:
        try:
            # One request removes a thousand, and doesn't mind those that aren't there.
            await obstore.delete_async(self._store, list(keys))
        except (BaseError, OSError) as error:
            raise _away(error) from None

    async def list_after(self, key: str, most: int) -> Sequence[StoredObject]:
        found: list[StoredObject] = []
        try:
            async for batch in obstore.list(self._store, offset=key or None, chunk_size=min(most, 1_000)):
                found += [StoredObject(one["path"], one["last_modified"]) for one in batch]
                if len(found) >= most:
                    break
        except (BaseError, OSError) as error:
            raise _away(error) from None
        return found[:most]


class _GivenUp(Exception):
    """Whoever brings the object's pieces stopped."""


class _Pieces:
    """Hands pieces to the library, which asks for them by iteration. Each waits until the one before it was taken."""

    def __init__(self) -> None:
        self._next: asyncio.Queue[bytes | Exception] = asyncio.Queue(maxsize=1)
        self._is_stopped = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._next.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def put(self, piece: bytes | Exception) -> None:
        if not self._is_stopped:
            await self._next.put(piece)

    def fail(self) -> None:
        """Raises where the next piece is awaited."""
        self._make_room()
        self._next.put_nowait(_GivenUp())

    def stop(self, upload: "asyncio.Future[Any]") -> None:
        """Nobody asks any more, as the upload has ended."""
        self._is_stopped = True
        self._make_room()
        if not upload.cancelled():
            upload.exception()  # Read here, for when it is of no interest: its caller raises another.

    def _make_room(self) -> None:
        with suppress(asyncio.QueueEmpty):
            self._next.get_nowait()


async def _ended(upload: "asyncio.Future[Any]") -> None:
    try:
        await asyncio.shield(upload)
    except (BaseError, OSError) as error:
        raise _away(error) from None


def _range(start: int, end: int | None) -> "obstore.GetOptions":
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else {}


async def _chunks(found: "obstore.GetResult") -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)
    except (BaseError, OSError) as error:
        raise _away(error) from None


def _away(error: Exception) -> Unavailable:
    # Its message may quote the address with what stands in it.
    return Unavailable(f"the object store can't answer ({type(error).__name__})")
