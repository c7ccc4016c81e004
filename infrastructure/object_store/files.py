"""Objects as private files, for processes that share a folder."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from infrastructure.object_store.unfinished_file import UnfinishedFile
from infrastructure.ports import Away
from infrastructure.ports.objects import StoredObject

CHUNK_BYTES = 256 * 1_024


class FileStore:
    """One file for each object, readable by its owner only. A key's parts are folders.

    A process that is killed in a write leaves a file that is listed: its key is the object's, a dot and a UUID.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, content: bytes) -> None:
        await self.put_stream(key, _once(content))

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        file = UnfinishedFile(self._folder, self._path(key))
        try:
            async for chunk in chunks:
                await _in_thread(file.write, chunk)
            await _in_thread(file.finish)
        except BaseException:
            # Shielded: being cancelled once more mustn't keep the file.
            await asyncio.shield(asyncio.to_thread(file.discard))
            raise

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None] | None:
        try:
            reader = await asyncio.to_thread(self._path(key).open, "rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Away(f"the object store's folder can't be read ({type(error).__name__})") from error
        return _chunks(reader, start, end)

    async def delete(self, keys: Sequence[str]) -> None:
        try:
            await asyncio.to_thread(self._remove, list(keys))
        except OSError as error:
            raise Away(f"the object store's folder can't be changed ({type(error).__name__})") from error

    async def list_after(self, key: str, most: int) -> Sequence[StoredObject]:
        try:
            return await asyncio.to_thread(lambda: list(islice(_walk(self._folder, "", key), most)))
        except OSError as error:
            raise Away(f"the object store's folder can't be read ({type(error).__name__})") from error

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not all(part and not part.startswith(".") for part in parts):
            raise ValueError("an object's key has parts that don't begin with a dot")
        return self._folder.joinpath(*parts)

    def _remove(self, keys: list[str]) -> None:
        for key in keys:
            path = self._path(key)
            path.unlink(missing_ok=True)
            # Whoever writes into a folder that goes at this moment makes it again.
            with suppress(OSError):
                for folder in path.relative_to(self._folder).parents[:-1]:
                    self._folder.joinpath(folder).rmdir()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _in_thread(step: Callable[..., None], *content: bytes) -> None:
    try:
        await asyncio.to_thread(step, *content)
    except OSError as error:
        raise Away(f"the object store's folder can't be written ({type(error).__name__})") from error


async def _chunks(reader: BinaryIO, start: int, end: int | None) -> AsyncGenerator[bytes, None]:
    with reader:
        try:
            reader.seek(start)
            while size := CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - reader.tell()):
                if not (chunk := await asyncio.to_thread(reader.read, size)):
                    return
                yield chunk
        except OSError as error:
            raise Away(f"the object store's folder can't be read ({type(error).__name__})") from error


def _walk(folder: Path, prefix: str, after: str) -> Iterator[StoredObject]:
    """Objects in the order of their keys, skipping folders that sort before `after`."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: f"{entry.name}/" if entry.is_dir() else entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        key = prefix + entry.name
        if entry.is_dir():
            if f"{key}/" >= after[: len(key) + 1]:
                yield from _walk(folder / entry.name, f"{key}/", after)
        elif key > after:
            with suppress(FileNotFoundError):
                yield StoredObject(key, datetime.fromtimestamp(entry.stat().st_mtime, UTC))
