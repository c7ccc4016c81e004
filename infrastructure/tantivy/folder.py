"""One tenant's index on disk: which generation is current, and what a reader sees of it.

<folder>/current       a link to the generation that answers
<folder>/v1-<random>/  a generation: one Tantivy index
"""

import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tantivy import DocAddress, Document, Index, Query, Searcher

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument, IndexMissing
from infrastructure.tantivy.fields import (
    SCHEMA,
    SCHEMA_VERSION,
    TOMBSTONE,
    register_analyzers,
    to_index,
    to_tombstone,
    tombstone_id,
)

WRITER_HEAP_BYTES = 30_000_000
GENERATION = f"v{SCHEMA_VERSION}-"
TOMBSTONES_AT_ONCE = 1_000


class Deletion(NamedTuple):
    """A document that was deleted at this version."""

    document_id: str
    version: int


Change = IndexedDocument | Deletion


class IndexFolder:
    """Safe to read from several threads and processes at once. Writing needs the WriteLock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opening = threading.Lock()
        self._index: Index | None = None
        self._seen: tuple[str, int, int] | None = None

    def searcher(self) -> Searcher:
        """A view of all that was committed before the call, by whichever process. IndexMissing when there is none."""
        generation = self._current()
        with self._opening, tantivy_errors(self.path):
            return self._fresh(generation).searcher()

    def write(self, changes: Sequence[Change]) -> None:
        """Commits those that are no older than what the index has of the same id. IndexMissing when there is none."""
        with tantivy_errors(self.path):
            index = self._open(self._current())
            effective = _effective(index.searcher(), changes)
            if effective:
                _commit(index, effective)

    def tombstones(self) -> Iterator[Sequence[Document]]:
        """What is remembered of deleted documents, in batches. An index that is missing or damaged remembers nothing."""
        with suppress(Unavailable), tantivy_errors(self.path):
            searcher = self._open(self._current()).searcher()
            deleted = Query.regex_query(SCHEMA, "id", f"{TOMBSTONE}.*")
            for offset in count(0, TOMBSTONES_AT_ONCE):
                hits = searcher.search(deleted, limit=TOMBSTONES_AT_ONCE, offset=offset, count=False).hits
                if not hits:
                    return
                yield [_tombstone_at(searcher, address) for _, address in hits]

    def there(self) -> bool:
        try:
            self._current()
        except IndexMissing:
            return False
        return True

    def new_generation(self) -> Path:
        path = self.path / (GENERATION + secrets.token_hex(8))
        path.mkdir(mode=0o700)
        return path

    def make_current(self, generation: Path) -> None:
        """From now on this generation answers. The others are removed; who still reads one keeps its open files."""
        link = self.path / f".current-{secrets.token_hex(8)}"
        link.symlink_to(generation.name)
        link.replace(self.path / "current")
        _sync(self.path)
        for other in self.path.glob("v*-*"):
            if other != generation:
                shutil.rmtree(other, ignore_errors=True)

    def remove(self) -> None:
        """Leaves the write lock's files only. Who still reads keeps its open files."""
        (self.path / "current").unlink(missing_ok=True)
        _sync(self.path)
        for generation in self.path.glob("v*-*"):
            shutil.rmtree(generation, ignore_errors=True)

    def _current(self) -> str:
        try:
            generation = (self.path / "current").readlink().name
        except FileNotFoundError:
            generation = ""
        if not generation.startswith(GENERATION) or not (self.path / generation).is_dir():
            raise IndexMissing(f"the search index {self.path.name} is missing; index any document to rebuild it")
        return generation

    def _fresh(self, generation: str) -> Index:
        # Asking the file system is cheaper than reloading, and sees another process's commit at once.
        try:
            meta = (self.path / generation / "meta.json").stat()
        except FileNotFoundError:
            raise self._damaged() from None
        seen = (generation, meta.st_ino, meta.st_mtime_ns)
        if self._index is None or self._seen is None or self._seen[0] != generation:
            self._index = self._open(generation)
        elif self._seen != seen:
            self._index.reload()
        self._seen = seen
        return self._index

    def _open(self, generation: str) -> Index:
        path = self.path / generation
        if not (path / "meta.json").is_file():
            raise self._damaged()
        return open_index(path)

    def _damaged(self) -> Unavailable:
        return Unavailable(
            f"the search index {self.path.name} is damaged; remove its folder and index any document to rebuild it"
        )


def open_index(path: Path) -> Index:
    """The index in this folder; an empty one if there is none."""
    index = Index(SCHEMA, str(path))
    register_analyzers(index)
    index.config_reader("manual")
    index.reload()
    return index


def _effective(searcher: Searcher, changes: Sequence[Change]) -> list[Change]:
    """The last word on each document, where the index doesn't have it yet."""
    last: dict[str, Change] = {}
    for change in changes:
        known = last.get(change.document_id)
        if known is None or _rank(known) <= _rank(change):
            last[change.document_id] = change
    return [change for change in last.values() if _known_rank(searcher, change.document_id) <= _rank(change)]


def _rank(change: Change) -> tuple[int, bool]:
    """What wins of two changes of one document: the newer version, and of one version its deletion."""
    return change.version, isinstance(change, Deletion)


def _known_rank(searcher: Searcher, document_id: str) -> tuple[int, bool]:
    indexed = _version_of(searcher, document_id)
    deleted = _version_of(searcher, tombstone_id(document_id))
    return max((indexed, False), (deleted, True))


def _version_of(searcher: Searcher, name: str) -> int:
    hits = searcher.search(Query.term_query(SCHEMA, "id", name), limit=1, count=False).hits
    versions = searcher.fast_field_values("version", [address for _, address in hits])
    return int(versions[0] or 0) if versions else 0


def _tombstone_at(searcher: Searcher, address: DocAddress) -> Document:
    kept = searcher.doc(address)
    return to_tombstone(str(kept.get_first("id")).removeprefix(TOMBSTONE), int(str(kept.get_first("version"))))


def _commit(index: Index, changes: Sequence[Change]) -> None:
    writer = index.writer(WRITER_HEAP_BYTES, 1)
    try:
        for change in changes:
            writer.delete_documents_by_term("id", change.document_id)
            writer.delete_documents_by_term("id", tombstone_id(change.document_id))
            writer.add_document(to_tombstone(*change) if isinstance(change, Deletion) else to_index(change))
        writer.commit()
    finally:
        writer.wait_merging_threads()  # Without it the merges a commit begins are thrown away and segments pile up.


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def tantivy_errors(folder: Path) -> Iterator[None]:
    """Translates Tantivy's errors and panics into Unavailable."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise Unavailable(f"the search index {folder.name} can't be used: {error}") from None
    except BaseException as error:
        # A panic of Tantivy is no Exception; let out, it would end the thread's pool and the process's loop.
        if type(error).__name__ == "PanicException":
            raise Unavailable(f"the search index {folder.name} can't be used: Tantivy panicked") from None
        raise
