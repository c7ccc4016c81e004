"""Objects as private files, for processes that share a folder. They aren't sealed, like results in rows."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from uuid_utils import uuid4

from infrastructure.ports import Unavailable
from infrastructure.ports.jobs import StoredObject

CHUNK_BYTES = 256 * 1_024
TRIES = 3


class FileStore:
    """One file for each object, readable by its owner only. A key's parts are folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, content: bytes) -> None:
        try:
            await asyncio.to_thread(_write, self._path(key), content)
        except OSError as error:
            raise Unavailable(f"the object store's folder can't be written ({type(error).__name__})") from error

    async def read(self, key: str) -> AsyncIterator[bytes] | None:
        try:
            reader = await asyncio.to_thread(self._path(key).open, "rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"the object store's folder can't be read ({type(error).__name__})") from error
        return _chunks(reader)

    async def delete(self, keys: Sequence[str]) -> None:
        try:
            await asyncio.to_thread(self._remove, list(keys))
        except OSError as error:
            raise Unavailable(f"the object store's folder can't be changed ({type(error).__name__})") from error

    async def list_after(self, key: str, most: int) -> Sequence[StoredObject]:
        try:
            return await asyncio.to_thread(lambda: list(islice(_walk(self._folder, "", key), most)))
        except OSError as error:
            raise Unavailable(f"the object store's folder can't be read ({type(error).__name__})") from error

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
                path.parent.rmdir()


def _write(path: Path, content: bytes) -> None:
    for last in (False,) * (TRIES - 1) + (True,):
        try:
            for folder in _folders_of(path):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_whole(path, content)
            return
        except FileNotFoundError:
            if last:
                raise


def _write_whole(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{uuid4()}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
            writer.write(content)
            writer.flush()
            os.fsync(writer.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    # A new name outlives a crash once the folders that hold it are on the disk.
    for folder in _folders_of(path):
        _sync_folder(folder)


def _folders_of(path: Path) -> tuple[Path, ...]:
    """The store's own, the tenant's and the job's."""
    job = path.parent
    return job.parent.parent, job.parent, job


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


async def _chunks(reader: BinaryIO) -> AsyncIterator[bytes]:
    with reader:
        while chunk := await asyncio.to_thread(reader.read, CHUNK_BYTES):
            yield chunk


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
