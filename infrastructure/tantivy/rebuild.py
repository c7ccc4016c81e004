"""A new generation of a tenant's index, built beside the one that answers and put in its place at the end."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tantivy import IndexWriter

from infrastructure.ports.search import IndexedDocument
from infrastructure.tantivy.fields import to_index
from infrastructure.tantivy.folder import WRITER_HEAP_BYTES, IndexFolder, open_index, tantivy_errors


class Rebuild:
    """A rebuild holds the write lock from `begin` to `close`, so that no document is lost: other writers wait, and then
    write into the new generation."""

    def __init__(self, folder: IndexFolder) -> None:
        self._folder = folder
        self._generation: Path | None = None
        self._writer: IndexWriter | None = None

    def begin(self) -> None:
        self._generation = self._folder.new_generation()
        with tantivy_errors(self._generation):
            self._writer = open_index(self._generation).writer(WRITER_HEAP_BYTES, 1)
            for tombstones in self._folder.tombstones():
                for tombstone in tombstones:
                    self._writer.add_document(tombstone)

    def add(self, documents: Sequence[IndexedDocument]) -> None:
        generation, writer = self._begun()
        with tantivy_errors(generation):
            for document in documents:
                writer.add_document(to_index(document))

    def publish(self) -> None:
        """Puts the new generation in the place of the old one."""
        generation, writer = self._begun()
        with tantivy_errors(generation):
            writer.commit()
            writer.wait_merging_threads()
        self._folder.make_current(generation)
        self._generation = self._writer = None

    def close(self) -> None:
        """Removes what wasn't published."""
        self._writer = None
        if self._generation is not None:
            shutil.rmtree(self._generation, ignore_errors=True)

    def _begun(self) -> tuple[Path, IndexWriter]:
        if self._generation is None or self._writer is None:
            raise AssertionError("a rebuild begins before it goes on")
        return self._generation, self._writer
