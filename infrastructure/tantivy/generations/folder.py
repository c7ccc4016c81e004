"""One tenant's index on disk: its generations, which one answers, and what a reader sees of it.

<folder>/current       a link to the generation that answers
<folder>/previous      a link to the one before, which can answer again
<folder>/v2-<random>/  a generation: one Tantivy index, and in `known` up to where the previous one knows the current one
"""

import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tantivy import Index, Searcher

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexMissing, IndexState
from infrastructure.tantivy.errors import tantivy_errors
from infrastructure.tantivy.fields import SCHEMA_VERSION, every_document
from infrastructure.tantivy.generations.changes import Change, apply, open_index

GENERATION = f"v{SCHEMA_VERSION}-"
CURRENT, PREVIOUS = "current", "previous"
BORN = "born"
"""A file of each generation, as old as it is."""
REMOVED = ".removed-"


class View(NamedTuple):
    """An index as it was at one moment."""

    searcher: Searcher
    stamp: bytes
    """Another one for every other content."""


class _Seen(NamedTuple):
    generation: str
    file: int
    written: int
    size: int


class IndexFolder:
    """Safe to read from several threads and processes at once. Writing needs the WriteLock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opening = threading.Lock()
        self._index: Index | None = None
        self._seen: _Seen | None = None

    def view(self) -> View:
        """All that was committed before the call, by whichever process. IndexMissing when there is none."""
        generation = self.current()
        try:
            return self._view_of(generation)
        except Unavailable:
            if self.current() == generation:
                raise
            return self._view_of(self.current())  # It was replaced meanwhile, and is gone.

    def _view_of(self, generation: Path) -> View:
        seen = self._see(generation)
        with self._opening, tantivy_errors(self.path):
            return View(self._fresh(seen).searcher(), _stamp(seen))

    def stamp(self) -> bytes | None:
        """That of a view, without opening the index; None when there is none."""
        try:
            return _stamp(self._see(self.current()))
        except Unavailable:
            return None

    def write(self, changes: Sequence[Change]) -> None:
        """Commits those that are no older than what the index has of the same id. IndexMissing when there is none."""
        with tantivy_errors(self.path):
            generation = self.current()
            apply(self.open(generation), generation, changes)

    def open(self, generation: Path) -> Index:
        if not (generation / "meta.json").is_file():
            raise self._damaged()
        return open_index(generation)

    def there(self) -> bool:
        return self.linked(CURRENT) is not None

    def current(self) -> Path:
        generation = self.linked(CURRENT)
        if generation is None:
            raise IndexMissing(f"the search index {self.path.name} is missing; index any document to rebuild it")
        return generation

    def linked(self, name: str) -> Path | None:
        """The generation that the link leads to, if it is there and of this version."""
        try:
            generation = self.path / (self.path / name).readlink().name
        except FileNotFoundError:
            return None
        return generation if generation.name.startswith(GENERATION) and generation.is_dir() else None

    def new_generation(self) -> Path:
        path = self.path / (GENERATION + secrets.token_hex(8))
        path.mkdir(mode=0o700, parents=True)
        (path / BORN).touch()
        return path

    def link(self, name: str, generation: Path) -> None:
        link = self.path / f".{name}-{secrets.token_hex(8)}"
        link.symlink_to(generation.name)
        link.replace(self.path / name)
        _sync(self.path)

    def unlink(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)
        _sync(self.path)

    def keep_only(self, *generations: Path | None) -> None:
        """Removes the others. Who still reads one keeps its open files; who still writes one finds it gone."""
        for other in (*self.path.glob("v*-*"), *self.path.glob(f"{REMOVED}*")):
            if other in generations:
                continue
            # Taken away at once: files that somebody adds meanwhile would outlast their removal one by one.
            gone = self.path / f"{REMOVED}{secrets.token_hex(8)}"
            other.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def remove(self) -> None:
        """Leaves the locks' files only."""
        self.unlink(CURRENT)
        self.unlink(PREVIOUS)
        self.keep_only()

    def states(self) -> Iterator[IndexState]:
        """The generation that answers first."""
        for name in (CURRENT, PREVIOUS):
            generation = self.linked(name)
            if generation is None or (name == PREVIOUS and generation == self.linked(CURRENT)):
                return
            with tantivy_errors(self.path):
                index = self.open(generation)
                documents = index.searcher().search(every_document(), 1).count  # type: ignore[attr-defined]
                yield IndexState(
                    name=self.path.name,
                    generation=generation.name,
                    answers=name == CURRENT,
                    documents=int(documents),
                    bytes=sum(_size(file) for file in generation.iterdir()),
                    created_at=datetime.fromtimestamp((generation / BORN).stat().st_mtime, UTC),
                )

    def _see(self, generation: Path) -> _Seen:
        # Asking the file system is cheaper than reloading, and sees another process's commit at once.
        try:
            meta = (generation / "meta.json").stat()
        except FileNotFoundError:
            raise self._damaged() from None
        return _Seen(generation.name, meta.st_ino, meta.st_mtime_ns, meta.st_size)

    def _fresh(self, seen: _Seen) -> Index:
        if self._index is None or self._seen is None or self._seen.generation != seen.generation:
            self._index = self.open(self.path / seen.generation)
        elif self._seen != seen:
            self._index.reload()
        self._seen = seen
        return self._index

    def _damaged(self) -> Unavailable:
        return Unavailable(
            f"the search index {self.path.name} is damaged; remove its folder and index any document to rebuild it"
        )


def _stamp(seen: _Seen) -> bytes:
    return ":".join(map(str, seen)).encode()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0  # A merge has just replaced it.


def _sync(folder: Path) -> None:
    if not folder.is_dir():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
