"""A new generation of a tenant's index, built beside the one that answers and put in its place at the end."""

import shutil
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tantivy import IndexWriter

from infrastructure.ports import IndexedDocument
from infrastructure.tantivy.fields import to_index
from infrastructure.tantivy.folder import WRITER_HEAP_BYTES, IndexFolder, open_index, tantivy_errors


class Rebuild:
    """Holds the right to write from `begin` to `close`, so that no document written meanwhile is lost: whoever wants to
    write waits, and then writes into the new generation."""

    def __init__(self, folder: IndexFolder) -> None:
        self._folder = folder
        self._held = ExitStack()
        self._generation: Path | None = None
        self._writer: IndexWriter | None = None
        self._stepping = threading.Lock()
        """Held during each step: a cancelled one still runs in its thread when `close` comes."""

    def begin(self, *, unless_there: bool) -> bool:
        """False when there is an index already and it shall stay."""
        with self._stepping:
            self._held.enter_context(self._folder.alone())
            if unless_there and self._folder.there():
                return False
            self._generation = self._folder.new_generation()
            with tantivy_errors(self._generation):
                self._writer = open_index(self._generation).writer(WRITER_HEAP_BYTES, 1)
            return True

    def add(self, documents: Sequence[IndexedDocument]) -> None:
        with self._stepping, tantivy_errors(self._begun[0]):
            for document in documents:
                self._begun[1].add_document(to_index(document))

    def publish(self) -> None:
        """Puts the new generation in the place of the old one."""
        with self._stepping:
            generation, writer = self._begun
            with tantivy_errors(generation):
                writer.commit()
                writer.wait_merging_threads()
            self._folder.make_current(generation)
            self._generation = self._writer = None

    def close(self) -> None:
        """Gives back the right to write; what wasn't published is removed."""
        with self._stepping:
            self._writer = None
            if self._generation is not None:
                shutil.rmtree(self._generation, ignore_errors=True)
            self._held.close()

    @property
    def _begun(self) -> tuple[Path, IndexWriter]:
        if self._generation is None or self._writer is None:
            raise AssertionError("a rebuild begins before it goes on")
        return self._generation, self._writer
