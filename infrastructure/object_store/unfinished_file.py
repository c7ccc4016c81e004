"""A file that appears under its name whole and durable, or not at all."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final

from uuid_utils import uuid4

TRIES: Final = 3
MAX_UNSYNCED_BYTES: Final = 8 * 1_024 * 1_024
"""So much is on its way to the disk at most: the end of a large file takes no longer than that of a small one, and its thread
is free for others meanwhile."""


class Discarded(Exception):
    """The file was given up while a thread still wrote to it."""


class UnfinishedFile:
    """Blocks: call it in threads, one after another; only `discard` may come at any time. If the process dies before
    `finish` returns, the file stays beside the final one, with a name that begins with that one's."""

    def __init__(self, root: Path, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.{uuid4()}")
        self._folders = _folders_between(root, path)
        self._lock = Lock()
        self._writer: BinaryIO | None = None
        self._unsynced_bytes = 0
        self._is_discarded = self._is_finished = False

    def write(self, content: bytes) -> None:
        """Appends the content. The first call makes the file, and the folders that it is in."""
        with self._lock:
            writer = self._opened()
            writer.write(content)
            self._unsynced_bytes += len(content)
            if self._unsynced_bytes >= MAX_UNSYNCED_BYTES:
                self._sync(writer)

    def finish(self) -> None:
        """Gives the file its name. When this returns, the file outlives a loss of power."""
        with self._lock:
            writer = self._opened()
            self._sync(writer)
            writer.close()
            self._unfinished.replace(self._path)
            self._is_finished = True
            # A new name is durable once the folders that hold it are.
            for folder in self._folders:
                _sync_folder(folder)

    def discard(self) -> None:
        """Removes the file, a finished one too; a step under way ends first. Safe to repeat."""
        with self._lock:
            self._is_discarded = True
            if self._writer is not None:
                with suppress(OSError):  # What it still buffers is of no use, so a full disk is no matter.
                    self._writer.close()
            with suppress(OSError):  # What stays is swept.
                (self._path if self._is_finished else self._unfinished).unlink(missing_ok=True)

    def _opened(self) -> BinaryIO:
        if self._is_discarded:
            raise Discarded
        if self._writer is None:
            self._writer = self._make()
        return self._writer

    def _sync(self, writer: BinaryIO) -> None:
        writer.flush()
        os.fsync(writer.fileno())
        self._unsynced_bytes = 0

    def _make(self) -> BinaryIO:
        for last in (False,) * (TRIES - 1) + (True,):
            try:
                for folder in self._folders:
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                return os.fdopen(os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            except FileNotFoundError:  # Another's deletion took an empty folder away between both.
                if last:
                    raise
        raise AssertionError("the last try returns or raises")


def _folders_between(root: Path, path: Path) -> Sequence[Path]:
    """The root and the folders below it that lead to the file."""
    names = path.relative_to(root).parts[:-1]
    return [root.joinpath(*names[:depth]) for depth in range(len(names) + 1)]


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
