"""A new generation of a tenant's index, built beside the one that answers and is written meanwhile, and put in its place at
the end."""

from collections.abc import Sequence
from pathlib import Path

from tantivy import IndexWriter, Searcher

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument
from infrastructure.tantivy.errors import tantivy_errors
from infrastructure.tantivy.fields import every_document, key_of
from infrastructure.tantivy.generations.changes import (
    WRITER_HEAP_BYTES,
    Change,
    newest_sequence,
    open_index,
)
from infrastructure.tantivy.generations.folder import CURRENT, IndexFolder
from infrastructure.tantivy.generations.replacement import CatchUp, check_still_current, discard, put_in_place
from infrastructure.tantivy.generations.verification import check_documents, check_golden
from schemas.search import SearchQuery

FIRST_SEQUENCE = 1


class Rebuild:
    """The steps of a rebuild, in their order. All need the right to replace generations, and only `publish` that to write, so
    that nobody who writes waits for long."""

    def __init__(self, folder: IndexFolder) -> None:
        self._folder = folder
        self._replaced = folder.linked(CURRENT)
        self._readable = False
        self._known = 0
        self._generation: Path | None = None
        self._writer: IndexWriter | None = None
        self._given: list[int] = []
        self._catching_up: CatchUp | None = None

    def begin(self) -> None:
        self._generation = self._folder.new_generation()
        self._open_replaced()
        with tantivy_errors(self._generation):
            self._writer = open_index(self._generation).writer(WRITER_HEAP_BYTES, 1)

    def _open_replaced(self) -> None:
        """What is written into the old generation from now on is copied later. One that is damaged takes nothing, and has
        nothing to compare with."""
        if self._replaced is None:
            return
        try:
            with tantivy_errors(self._folder.path):
                self._known = newest_sequence(self._replaced)
                self._folder.open(self._replaced)
        except Unavailable:
            return
        self._readable = True

    def add(self, documents: Sequence[IndexedDocument]) -> None:
        generation, writer = self._begun()
        with tantivy_errors(generation):
            for document in documents:
                change = Change.of(document)
                writer.delete_documents_by_term("id", change.document_id)
                writer.add_document(change.to_tantivy(FIRST_SEQUENCE))
                self._given.append(key_of(change.document_id))

    def verify(self, golden: Sequence[SearchQuery]) -> None:
        """Raises RebuildDiffers if the new generation doesn't have what it was given, or doesn't find what the old one
        finds."""
        generation, writer = self._begun()
        with tantivy_errors(generation):
            writer.commit()
            writer.wait_merging_threads()
            self._writer = None
            check_documents(open_index(generation).searcher(), self._given)
        self._given = []
        if self._replaced is None or not self._readable:
            return
        self._catching_up = CatchUp(self._folder, self._replaced, generation, known=self._known)
        old = self._catching_up.run(and_all_deletions=True)
        with tantivy_errors(generation):
            check_golden(old, self._folder.open(generation).searcher(), golden)

    def publish(self) -> int:
        """Puts the new generation in the place of the old one, with what was written last, and counts its documents."""
        if self._generation is None or self._writer is not None:
            raise AssertionError("a rebuild is verified before it is published")
        check_still_current(self._folder, self._replaced)
        if self._catching_up is not None:
            self._catching_up.run()
        with tantivy_errors(self._generation):
            documents = _documents_in(self._folder.open(self._generation).searcher())
        put_in_place(self._folder, self._generation, self._replaced if self._readable else None)
        self._generation = None
        return documents

    def close(self) -> None:
        """Removes what wasn't published."""
        self._writer = None
        if self._generation is not None:
            discard(self._generation)

    @property
    def generation(self) -> str:
        return "" if self._generation is None else self._generation.name

    def _begun(self) -> tuple[Path, IndexWriter]:
        if self._generation is None or self._writer is None:
            raise AssertionError("a rebuild begins before it goes on")
        return self._generation, self._writer


def _documents_in(searcher: Searcher) -> int:
    return int(searcher.search(every_document(), 1).count)  # type: ignore[attr-defined]  # tantivy's stubs lack it
