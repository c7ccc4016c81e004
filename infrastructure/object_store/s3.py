"""Objects in an S3-compatible store."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from infrastructure.object_store.multipart_upload import UploadFailed, upload
from infrastructure.ports import Away
from infrastructure.ports.objects import StoredObject
from infrastructure.settings import Settings, SettingsInvalid

CHUNK_BYTES = 256 * 1_024
WINDOW_BYTES = 4 * 1_024 * 1_024
"""Read by one request."""
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
    """Objects in a bucket, below a prefix if one is set. Results quote documents: enable the bucket's encryption.

    A process that is killed in a long upload leaves parts that no listing shows and that are paid for: give the bucket a
    lifecycle rule that aborts incomplete multipart uploads after a day (AbortIncompleteMultipartUpload).
    """

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
        try:
            await upload(self._store, key, chunks, abort_seconds=ANSWER_SECONDS)
        except UploadFailed as failed:
            raise _away(failed.error) from None

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None] | None:
        try:
            window = await self._window(key, start, end)
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _away(error) from None
        return self._windows(key, window, end)

    async def _windows(self, key: str, window: "_Window", end: int | None) -> AsyncGenerator[bytes, None]:
        while window.content:
            for offset in range(0, len(window.content), CHUNK_BYTES):
                yield bytes(window.content[offset : offset + CHUNK_BYTES])
            if window.ends_at >= (window.size_bytes if end is None else min(end, window.size_bytes)):
                return
            try:
                window = await self._window(key, window.ends_at, end, window.etag)
            except (BaseError, OSError) as error:
                raise _away(error) from None

    async def _window(self, key: str, start: int, end: int | None, etag: str | None = None) -> "_Window":
        # No request stays open while a slow reader takes its time: it would run into its time limit.
        until = start + WINDOW_BYTES if end is None else min(end, start + WINDOW_BYTES)
        try:
            wanted: obstore.GetOptions = {"range": (start, until)}
            found = await obstore.get_async(
                self._store, key, options=wanted if etag is None else wanted | {"if_match": etag}
            )
            content = memoryview(await found.bytes_async())
        except FileNotFoundError:
            raise
        except BaseError:
            # A range behind the object's end is an error, which the library doesn't tell from others.
            if (await obstore.head_async(self._store, key))["size"] > start:
                raise
            return _Window(memoryview(b""), start, start, None)
        return _Window(content, start + len(content), found.meta["size"], found.meta["e_tag"])

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


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of an object, in memory."""

    content: memoryview
    ends_at: int
    size_bytes: int
    """The whole object's."""
    etag: str | None


def _away(error: Exception) -> Away:
    # Its message may quote the address with what stands in it.
    return Away(f"the object store can't answer ({type(error).__name__})")
