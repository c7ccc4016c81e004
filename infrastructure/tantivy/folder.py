"""One tenant's index on disk: which generation is current, and what a reader sees of it.

<folder>/current       a link to the generation that answers
<folder>/v1-<random>/  a generation: one Tantivy index
"""

import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tantivy import Index, Query, Searcher

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument, IndexMissing
from infrastructure.tantivy.fields import SCHEMA, SCHEMA_VERSION, register_analyzers, to_index

WRITER_HEAP_BYTES = 30_000_000
GENERATION = f"v{SCHEMA_VERSION}-"


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

    def write(self, documents: Sequence[IndexedDocument]) -> None:
        """Commits those that are newer than what the index has of the same id. IndexMissing when there is none."""
        with tantivy_errors(self.path):
            index = self._open(self._current())
            newer = _newer(index.searcher(), documents)
            if newer:
                _commit(index, newer)

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


def _newer(searcher: Searcher, documents: Sequence[IndexedDocument]) -> list[IndexedDocument]:
    newest: dict[str, IndexedDocument] = {}
    for document in documents:
        known = newest.get(document.document_id)
        if known is None or known.version < document.version:
            newest[document.document_id] = document
    return [document for document in newest.values() if _indexed_version(searcher, document) < document.version]


def _indexed_version(searcher: Searcher, document: IndexedDocument) -> int:
    hits = searcher.search(Query.term_query(SCHEMA, "id", document.document_id), limit=1, count=False).hits
    versions = searcher.fast_field_values("version", [address for _, address in hits])
    return int(versions[0] or 0) if versions else 0


def _commit(index: Index, documents: Sequence[IndexedDocument]) -> None:
    writer = index.writer(WRITER_HEAP_BYTES, 1)
    try:
        for document in documents:
            writer.delete_documents_by_term("id", document.document_id)
            writer.add_document(to_index(document))
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
